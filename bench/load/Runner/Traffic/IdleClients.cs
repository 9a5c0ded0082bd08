namespace Tidegate.Load.Traffic;

/// <summary>Connections that have had one answer and now wait.</summary>
internal sealed class IdleClients : IDisposable
{
    private readonly List<LoadConnection> _connections = [];

    public IdleClients(int port, int count)
    {
        using var epoll = new Epoll();
        var request = new RequestShape("/").ToBytes();
        for (var i = 0; i < count; i++)
        {
            var connection = new LoadConnection(port, request);
            _connections.Add(connection);
            epoll.Watch(connection.Socket, i);
            connection.Begin(0);
            var outcome = ReadOutcome.Partial;
            while (outcome == ReadOutcome.Partial)
            {
                outcome = epoll.Wait(10 * Clock.Second) == 0 ? ReadOutcome.Failed : connection.Read();
            }

            if (outcome == ReadOutcome.Failed)
            {
                throw new IOException($"Connection {i + 1} of {count} got no answer.");
            }

            epoll.Forget(connection.Socket);
        }
    }

    public void Dispose()
    {
        foreach (var connection in _connections)
        {
            connection.Dispose();
        }
    }
}
