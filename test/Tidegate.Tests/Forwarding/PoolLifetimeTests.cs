using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Forwarding.Connecting;
using Tidegate.Forwarding.Http1;
using Xunit;

namespace Tidegate.Tests.Forwarding;

/// <summary>How long connections and pools are kept, on a clock of the test's own.</summary>
public sealed class PoolLifetimeTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly KeptConnections _connections = new();
    private readonly Forwarder _forwarder;

    public PoolLifetimeTests() => _forwarder = new Forwarder(_time, new ForwarderOptions { Source = new ConnectionSource(_connections), Resolve = (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Loopback]) });

    public ValueTask DisposeAsync() => _forwarder.DisposeAsync();

    [Fact]
    public async Task An_idle_connection_is_closed_after_55_seconds()
    {
        await ForwardAsync("a.test");
        _time.Advance(TimeSpan.FromSeconds(54));
        Assert.Equal((1, 1), (Pool.Open, Pool.Idle));

        _time.Advance(TimeSpan.FromSeconds(2));

        Assert.Equal((0, 0, 1), (Pool.Open, Pool.Idle, _connections.Closed));
    }

    [Fact]
    public async Task A_busy_connection_is_closed_after_15_minutes()
    {
        for (var round = 0; round < 29; round++)
        {
            await ForwardAsync("a.test");
            _time.Advance(TimeSpan.FromSeconds(30));
        }

        Assert.Equal((1, 0), (_connections.Opened, _connections.Closed));
        _time.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal(1, _connections.Closed);

        await ForwardAsync("a.test");
        Assert.Equal((2, 1), (_connections.Opened, Pool.Open));
    }

    [Fact]
    public async Task A_pool_that_nobody_has_used_for_two_minutes_goes()
    {
        await ForwardAsync("a.test");
        _time.Advance(TimeSpan.FromSeconds(100));
        await ForwardAsync("b.test");
        Assert.Equal(2, _forwarder.PoolStatistics.Count);

        _time.Advance(TimeSpan.FromSeconds(40));

        Assert.Equal("http://b.test:80", Pool.Destination);
        await ForwardAsync("a.test");
        Assert.Equal(2, _forwarder.PoolStatistics.Count);
    }

    [Fact]
    public async Task Beyond_4096_pools_connections_are_not_kept_and_exchanges_go_on()
    {
        for (var i = 0; i < 4_096; i++)
        {
            await ForwardAsync($"{i}.test");
        }

        await ForwardAsync("one-more.test");

        Assert.Equal((4_096, 4_097, 1), (_forwarder.PoolStatistics.Count, _connections.Opened, _connections.Closed));
    }

    [Fact]
    public async Task Disposing_closes_what_is_idle()
    {
        await ForwardAsync("a.test");

        await _forwarder.DisposeAsync();

        Assert.Equal(1, _connections.Closed);
    }

    private PoolStatistics Pool => Assert.Single(_forwarder.PoolStatistics);

    private async Task ForwardAsync(string host)
    {
        var exchange = new Exchange
        {
            Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
            Client = null!,
            Method = "GET",
            Target = new ExchangeTarget("http", host, 80, "/", null),
        };
        await _forwarder.ForwardAsync(exchange, new Upstream { Name = "", Destinations = [], Timeouts = UpstreamTimeouts.Default });
        Assert.True(exchange.Outcome == Outcome.Forwarded, exchange.Failure?.Detail);
        await exchange.ResponseBody.DisposeAsync();
    }

    /// <summary>Connections in memory that answer every request with an empty 200.</summary>
    private sealed class KeptConnections : IConnectionFactory
    {
        private int _closed;

        public int Opened { get; private set; }

        public int Closed => Volatile.Read(ref _closed);

        public ValueTask<ConnectionContext> ConnectAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
        {
            Opened++;
            var (client, server) = Pair();
            _ = ServeAsync(server);
            return new ValueTask<ConnectionContext>(new Kept(client, () => Interlocked.Increment(ref _closed)));
        }

        private static (IDuplexPipe Client, IDuplexPipe Server) Pair()
        {
            var options = new PipeOptions(readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, useSynchronizationContext: false);
            var toServer = new Pipe(options);
            var toClient = new Pipe(options);
            return (new Duplex(toClient.Reader, toServer.Writer), new Duplex(toServer.Reader, toClient.Writer));
        }

        private static async Task ServeAsync(IDuplexPipe server)
        {
            while (true)
            {
                var result = await server.Input.ReadAsync();
                server.Input.AdvanceTo(result.Buffer.End);
                if (result.IsCompleted)
                {
                    await server.Output.CompleteAsync();
                    return;
                }

                await server.Output.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
            }
        }

        private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
    }

    private sealed class Kept(IDuplexPipe pipe, Action closed) : DefaultConnectionContext
    {
        private int _isClosed;

        public override IDuplexPipe Transport { get => pipe; set => throw new NotSupportedException(); }

        public override void Abort(ConnectionAbortedException abortReason)
        {
            pipe.Input.CancelPendingRead();
            pipe.Output.Complete();
        }

        public override ValueTask DisposeAsync()
        {
            if (Interlocked.Exchange(ref _isClosed, 1) == 0)
            {
                closed();
            }

            pipe.Output.Complete();
            return default;
        }
    }
}
