namespace Tidegate.Forwarding.Http1;

/// <summary>Idle connections that belong to one thread, or all of a pool: the one that was used last is used next, so that the surplus grows old and goes.</summary>
internal sealed class PoolPartition(Lock gate)
{
    private UpstreamConnection? _newest;
    private UpstreamConnection? _oldest;

    /// <summary>Held by whoever calls anything here.</summary>
    public Lock Gate => gate;

    public int Count { get; private set; }

    /// <summary>The one that is idle for longest; null when none is.</summary>
    public UpstreamConnection? Oldest => _oldest;

    public void Push(UpstreamConnection connection)
    {
        connection.IsIdle = true;
        connection.Older = _newest;
        connection.Newer = null;
        if (_newest is null)
        {
            _oldest = connection;
        }
        else
        {
            _newest.Newer = connection;
        }

        _newest = connection;
        Count++;
    }

    public UpstreamConnection? Pop()
    {
        var connection = _newest;
        if (connection is not null)
        {
            Unlink(connection);
        }

        return connection;
    }

    /// <returns>Whether it was idle, and so now is the caller's.</returns>
    public bool Remove(UpstreamConnection connection)
    {
        if (!connection.IsIdle)
        {
            return false;
        }

        Unlink(connection);
        return true;
    }

    private void Unlink(UpstreamConnection connection)
    {
        if (connection.Newer is null)
        {
            _newest = connection.Older;
        }
        else
        {
            connection.Newer.Older = connection.Older;
        }

        if (connection.Older is null)
        {
            _oldest = connection.Newer;
        }
        else
        {
            connection.Older.Newer = connection.Newer;
        }

        connection.Older = connection.Newer = null;
        connection.IsIdle = false;
        Count--;
    }
}
