using System.Text;
using Tidegate.Transport;

namespace Tidegate.Forwarding.Http1;

/// <summary>How an exchange came by a connection, or did not.</summary>
internal enum Acquired
{
    /// <summary>An idle connection.</summary>
    Idle,

    /// <summary>A place, in which the caller opens a connection, or gives it back with <see cref="ConnectionPool.GiveUpPlace"/>.</summary>
    Place,

    /// <summary>Its turn comes later.</summary>
    Wait,

    /// <summary>Too many wait already.</summary>
    Full,
}

/// <summary>
/// Connections to one destination with one set of TLS settings. Each belongs to a partition, a reactor's for example, and is only used by it; the bound and
/// the queue are the pool's.
/// </summary>
internal sealed class ConnectionPool
{
    /// <summary>Below the 60 s after which most servers hang up: we close first, so a request seldom meets a closing connection.</summary>
    public static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(55);

    /// <summary>A name's addresses change, and a busy connection would never notice.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(15);

    /// <summary>Each waiting exchange holds a client and its request's head. What cannot be served within the connect timeout is better told at once.</summary>
    public const int MaxWaiting = 1_000;

    // A connection that is given back goes to the next in line of its own partition, because it cannot go to another: it would be closed, and a new one opened. So
    // often the first in line may be passed over for that.
    private const int MaxPassedOver = 16;

    private readonly Deadlines _deadlines;
    private readonly PoolPartition[] _partitions;
    private readonly Lock _gate = new();
    private readonly LinkedList<PoolWaiter> _waiting = [];
    private readonly bool _isBounded;
    private int _open;
    private long _opened;
    private long _discarded;
    private long _refused;
    private long _lastUsed;

    // The clock at the last sweep, of which there is one in a second: what connections are given back with need not be more exact, and that is once for each exchange.
    private long _sweptAt;
    private volatile bool _isRetired;
    private volatile int _learned;

    public ConnectionPool(PoolKey key, int partitions, Deadlines deadlines)
    {
        Key = key;
        _deadlines = deadlines;
        _isBounded = key.MaxConnections > 0;
        _partitions = [.. Enumerable.Range(0, partitions).Select(_ => new PoolPartition(_isBounded ? _gate : new Lock()))];
        _lastUsed = _sweptAt = deadlines.Time.GetTimestamp();
        Destination = new Destination(key.IsSecure ? "https" : "http", key.Host, key.Port);
        Name = Destination.ToString();
        Authority = Encoding.ASCII.GetBytes(new Exchanges.ExchangeTarget(Destination.Scheme, key.Host, key.Port, "/", null).Authority);
    }

    public PoolKey Key { get; }

    public Destination Destination { get; }

    /// <summary>Scheme, host and port.</summary>
    public string Name { get; }

    /// <summary>What goes into Host when it is rewritten.</summary>
    public ReadOnlyMemory<byte> Authority { get; }

    /// <summary>What the last handshake that offered both chose; meaningful only where both are offered.</summary>
    public LearnedProtocol Learned { get => (LearnedProtocol)_learned; set => _learned = (int)value; }

    /// <summary>One handshake at a time while it is not known what the destination speaks.</summary>
    public SemaphoreSlim Learning { get; } = new(1);

    /// <summary>Connections are not kept: the pool has gone out of use, or there are too many pools.</summary>
    public bool IsRetired => _isRetired;

    public PoolStatistics Statistics
    {
        get
        {
            var idle = 0;
            foreach (var partition in _partitions)
            {
                lock (partition.Gate)
                {
                    idle += partition.Count;
                }
            }

            lock (_gate)
            {
                return new PoolStatistics(Name, Volatile.Read(ref _open), idle, _waiting.Count, Interlocked.Read(ref _opened), Interlocked.Read(ref _discarded), Interlocked.Read(ref _refused));
            }
        }
    }

    /// <summary>An idle connection of the partition that is still alive; null when there is none.</summary>
    public UpstreamConnection? TryRent(int partition)
    {
        var own = _partitions[partition];
        while (true)
        {
            UpstreamConnection? connection;
            lock (own.Gate)
            {
                connection = own.Pop();
            }

            if (connection is null || connection.TryTake())
            {
                return connection;
            }

            Interlocked.Increment(ref _discarded);
            connection.Close();
        }
    }

    /// <summary>An idle connection, a place, or a turn in the queue.</summary>
    public Acquired Acquire(int partition, out UpstreamConnection? connection, out PoolWaiter? waiter)
    {
        waiter = null;
        connection = TryRent(partition);
        if (connection is not null)
        {
            return Acquired.Idle;
        }

        if (!_isBounded)
        {
            Interlocked.Increment(ref _open);
            return Acquired.Place;
        }

        UpstreamConnection? replaced = null;
        try
        {
            lock (_gate)
            {
                if (_open < Key.MaxConnections)
                {
                    _open++;
                    return Acquired.Place;
                }

                if (_partitions[partition].Pop() is { } own)
                {
                    connection = own.TryTake() ? own : null;
                    replaced = connection is null ? own : null;
                    return connection is null ? Acquired.Place : Acquired.Idle;
                }

                if ((replaced = OldestIdle()) is not null)
                {
                    // It belongs to another partition and cannot be used here, but its place can.
                    return Acquired.Place;
                }

                if (_waiting.Count == MaxWaiting)
                {
                    _refused++;
                    return Acquired.Full;
                }

                waiter = new PoolWaiter(partition);
                _waiting.AddLast(waiter);
                return Acquired.Wait;
            }
        }
        finally
        {
            replaced?.Close(keepsPlace: true);
        }
    }

    /// <summary>Gives a connection back after its exchange. It waits for the next one, if it may.</summary>
    public void Return(UpstreamConnection connection)
    {
        var now = Volatile.Read(ref _sweptAt);
        if (_isRetired || _deadlines.Time.GetElapsedTime(connection.OpenedAt, now) >= Lifetime || !connection.Watch())
        {
            connection.Close();
            return;
        }

        connection.IdleSince = now;
        var own = _partitions[connection.Partition];
        PoolWaiter? waiter = null;
        lock (own.Gate)
        {
            if (_isBounded && _waiting.Count > 0)
            {
                waiter = NextInLine(connection.Partition);
            }
            else
            {
                own.Push(connection);
            }
        }

        if (waiter is null)
        {
            if (connection.HasEnded || _isRetired)
            {
                OnIdleEnded(connection);
            }
        }
        else if (waiter.Partition == connection.Partition && connection.TryTake())
        {
            waiter.SetResult(connection);
        }
        else
        {
            connection.Close(keepsPlace: true);
            waiter.SetResult(null);
        }
    }

    /// <summary>An idle connection's read came back: it was closed, or says something that nobody asked for.</summary>
    public void OnIdleEnded(UpstreamConnection connection)
    {
        bool wasIdle;
        var own = _partitions[connection.Partition];
        lock (own.Gate)
        {
            wasIdle = own.Remove(connection);
        }

        if (wasIdle)
        {
            Interlocked.Increment(ref _discarded);
            connection.Close();
        }
    }

    /// <summary>A connection stands in the place that was given.</summary>
    public void CountOpened() => Interlocked.Increment(ref _opened);

    /// <summary>A place is free: its connection was closed, or could not be opened.</summary>
    public void GiveUpPlace()
    {
        if (!_isBounded)
        {
            Interlocked.Decrement(ref _open);
            return;
        }

        PoolWaiter? waiter = null;
        lock (_gate)
        {
            if (_waiting.First is { } first)
            {
                waiter = first.Value;
                _waiting.RemoveFirst();
            }
            else
            {
                _open--;
            }
        }

        waiter?.SetResult(null);
    }

    /// <summary>Leaves the queue. What was given at the same moment goes to the next.</summary>
    public void Leave(PoolWaiter waiter)
    {
        bool hasLeft;
        lock (_gate)
        {
            hasLeft = _waiting.Remove(waiter);
        }

        if (!hasLeft)
        {
            _ = PassOnAsync(waiter);
        }
    }

    /// <summary>Notes that the pool is in use.</summary>
    /// <param name="now">A timestamp of the clock.</param>
    public void Touch(long now)
    {
        // Written once a second, so that cores do not take the line from one another for each exchange.
        if (now - Volatile.Read(ref _lastUsed) > _deadlines.Time.TimestampFrequency)
        {
            Volatile.Write(ref _lastUsed, now);
        }
    }

    /// <summary>Closes what has been idle, or open, for too long. True when the pool has been out of use for so long that it can go.</summary>
    public bool Sweep(TimeSpan keepFor)
    {
        var now = _deadlines.Time.GetTimestamp();
        Volatile.Write(ref _sweptAt, now);
        foreach (var partition in _partitions)
        {
            List<UpstreamConnection>? over = null;
            lock (partition.Gate)
            {
                for (var connection = partition.Oldest; connection is not null;)
                {
                    var newer = connection.Newer;
                    if (_isRetired || _deadlines.Time.GetElapsedTime(connection.IdleSince, now) >= IdleTimeout || _deadlines.Time.GetElapsedTime(connection.OpenedAt, now) >= Lifetime)
                    {
                        partition.Remove(connection);
                        (over ??= []).Add(connection);
                    }

                    connection = newer;
                }
            }

            foreach (var connection in over ?? [])
            {
                connection.Close();
            }
        }

        return Volatile.Read(ref _open) == 0 && _deadlines.Time.GetElapsedTime(Volatile.Read(ref _lastUsed), now) >= keepFor;
    }

    /// <summary>From now on nothing is kept.</summary>
    public void Retire()
    {
        _isRetired = true;
        Sweep(TimeSpan.Zero);
    }

    private UpstreamConnection? OldestIdle()
    {
        foreach (var partition in _partitions)
        {
            if (partition.Oldest is { } oldest)
            {
                partition.Remove(oldest);
                return oldest;
            }
        }

        return null;
    }

    private PoolWaiter NextInLine(int partition)
    {
        var first = _waiting.First!;
        var next = first;
        if (first.Value.PassedOver < MaxPassedOver)
        {
            while (next is not null && next.Value.Partition != partition)
            {
                next = next.Next;
            }

            next ??= first;
            first.Value.PassedOver += next == first ? 0 : 1;
        }

        _waiting.Remove(next);
        return next.Value;
    }

    private async Task PassOnAsync(PoolWaiter waiter)
    {
        if (await waiter.Task is { } connection)
        {
            Return(connection);
        }
        else
        {
            GiveUpPlace();
        }
    }
}

/// <summary>What a TLS destination that is offered both protocols chooses.</summary>
internal enum LearnedProtocol
{
    Unknown,
    Http1,
    Http2,
}
