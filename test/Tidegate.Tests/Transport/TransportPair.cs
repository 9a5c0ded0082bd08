using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Tidegate.Transport;

namespace Tidegate.Tests.Transport;

/// <summary>A connection of the transport and, at its other end, a plain socket.</summary>
internal sealed class TransportPair : IAsyncDisposable
{
    private TransportPair(TestTransport transport, ConnectionContext connection, Socket peer)
    {
        Transport = transport;
        Connection = connection;
        Peer = peer;
    }

    public TestTransport Transport { get; }

    /// <summary>Accepted by the transport.</summary>
    public ConnectionContext Connection { get; }

    public PipeReader Input => Connection.Transport.Input;

    public PipeWriter Output => Connection.Transport.Output;

    public Socket Peer { get; }

    public Reactor Reactor => Connection.Features.Get<Reactor>()!;

    public static async Task<TransportPair> StartAsync(CancellationToken cancellationToken)
    {
        var transport = await TestTransport.StartAsync(1, cancellationToken);
        var peer = await transport.ConnectAsync(cancellationToken);
        return new TransportPair(transport, await transport.AcceptAsync(cancellationToken), peer);
    }

    /// <summary>Runs a test's body as the gateway's code runs: on the connection's reactor, or as Kestrel's does: on another thread, without a synchronization context.</summary>
    public Task RunAsync(bool onReactor, Func<Task> body) => Task.Run(async () =>
    {
        if (onReactor)
        {
            await Reactor.SwitchAsync();
        }

        await body();
    });

    public async ValueTask DisposeAsync()
    {
        Peer.Dispose();
        await Connection.DisposeAsync();
        await Transport.DisposeAsync();
    }
}

/// <summary>A transport that listens on loopback; what it logs fails the test at its end.</summary>
internal sealed class TestTransport : IAsyncDisposable
{
    private readonly List<string> _lines = [];

    private TestTransport(int reactors, Func<int, Action<string>, ReactorTransport> create) => Transport = create(reactors, Keep);

    public ReactorTransport Transport { get; }

    public IConnectionListener Listener { get; private set; } = null!;

    public IPEndPoint EndPoint => (IPEndPoint)Listener.EndPoint;

    /// <summary>Lines that the test expects are taken out here.</summary>
    public List<string> Log
    {
        get
        {
            lock (_lines)
            {
                return [.. _lines];
            }
        }
    }

    public bool AllowsLines { get; set; }

    public static Task<TestTransport> StartAsync(int reactors, CancellationToken cancellationToken) =>
        StartAsync(reactors, static (count, log) => ReactorTransport.Create(count, TimeProvider.System, log), cancellationToken);

    public static async Task<TestTransport> StartAsync(int reactors, Func<int, Action<string>, ReactorTransport> create, CancellationToken cancellationToken)
    {
        var started = new TestTransport(reactors, create);
        started.Listener = await started.Transport.BindAsync(new IPEndPoint(IPAddress.Loopback, 0), cancellationToken);
        return started;
    }

    public async Task<Socket> ConnectAsync(CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(EndPoint, cancellationToken);
        return socket;
    }

    public async Task<ConnectionContext> AcceptAsync(CancellationToken cancellationToken) =>
        await Listener.AcceptAsync(cancellationToken) ?? throw new InvalidOperationException("The listener was unbound.");

    /// <summary>Of all reactors.</summary>
    public long Sum(Func<ReactorCounters, long> counter) => Transport.Reactors.Sum(reactor => counter(reactor.Counters));

    public async ValueTask DisposeAsync()
    {
        await Listener.DisposeAsync();
        await Transport.DisposeAsync();
        if (!AllowsLines && Log is { Count: > 0 } lines)
        {
            throw new InvalidOperationException("The transport complained: " + string.Join('\n', lines));
        }
    }

    private void Keep(string line)
    {
        lock (_lines)
        {
            // A slow machine is no fault of the transport.
            if (!line.Contains("was busy for", StringComparison.Ordinal))
            {
                _lines.Add(line);
            }
        }
    }
}
