using System.Net;
using System.Net.Sockets;

namespace Tidegate.Testing;

/// <summary>An upstream that does on each connection, byte for byte, what the test says.</summary>
public sealed class ScriptedUpstream : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Func<ScriptedConnection, Task> _script;
    private readonly List<Task> _connections = [];
    private readonly Task _accepting;
    private int _accepted;

    /// <summary>Listens at once.</summary>
    /// <param name="script">Run for each connection, which closes at its end. Its failure fails <see cref="DisposeAsync"/>.</param>
    public ScriptedUpstream(Func<ScriptedConnection, Task> script)
    {
        _script = script;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Where it listens.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Connections that were opened so far.</summary>
    public int Accepted => Volatile.Read(ref _accepted);

    /// <summary>Answers every request on every connection with the same bytes.</summary>
    public static ScriptedUpstream Answering(string answer) => new(async connection =>
    {
        while (await connection.ReadRequestAsync() is not null)
        {
            await connection.WriteAsync(answer);
        }
    });

    /// <summary>Nobody connects any more. What is connected goes on.</summary>
    public void StopListening() => _listener.Stop();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _accepting;
        Task[] connections;
        lock (_connections)
        {
            connections = [.. _connections];
        }

        await Task.WhenAll(connections);
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptSocketAsync(_stopping.Token);
                lock (_connections)
                {
                    _connections.Add(RunAsync(new ScriptedConnection(socket, _accepted++, _stopping.Token)));
                }
            }
        }
        catch (Exception stopped) when (stopped is OperationCanceledException or SocketException or InvalidOperationException)
        {
            return;
        }
    }

    private async Task RunAsync(ScriptedConnection connection)
    {
        using (connection)
        {
            try
            {
                await _script(connection);
            }
            catch (Exception over) when (over is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
            {
                // The gateway closed, which many tests are about: they look at it from the other side.
                return;
            }
        }
    }
}
