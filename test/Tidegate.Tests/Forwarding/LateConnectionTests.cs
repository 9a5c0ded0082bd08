using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Forwarding.Connecting;
using Tidegate.Tests.Exchanges;
using Xunit;

namespace Tidegate.Tests.Forwarding;

/// <summary>The framework's client goes on connecting for a request that is over. What it measures then belongs to nobody, least of all to the exchange object's next request.</summary>
public sealed class LateConnectionTests
{
    [Fact]
    public async Task A_connection_that_is_there_late_says_nothing_on_an_exchange_that_is_used_again()
    {
        var sockets = new HeldConnections();
        await using var forwarder = new Forwarder(TimeProvider.System, new ForwarderOptions
        {
            Client = UpstreamClient.SocketsHttpHandler,
            Source = new ConnectionSource(sockets),
            Resolve = (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Loopback]),
        });
        var upstream = new Upstream { Name = "", Destinations = [], Timeouts = UpstreamTimeouts.Default };
        var exchange = TestExchange.Of(Direction.Egress);
        using var aborted = new CancellationTokenSource();

        // The client leaves while its connection is being opened.
        Begin(exchange, "first.test", aborted.Token);
        var first = forwarder.ForwardAsync(exchange, upstream).AsTask();
        var late = await sockets.NextAsync();
        await aborted.CancelAsync();
        await first;
        Assert.Equal((FailureKind.ClientAborted, 0L), (exchange.Failure!.Kind, exchange.Timings.Connecting));

        // The same object carries the next request, and the first connection arrives in its midst.
        exchange.Reset();
        Begin(exchange, "second.test", TestContext.Current.CancellationToken);
        var second = forwarder.ForwardAsync(exchange, upstream).AsTask();
        var own = await sockets.NextAsync();
        late.SetResult();
        await Task.Delay(100, TestContext.Current.CancellationToken);
        Assert.Equal(0, exchange.Timings.Connecting);
        Assert.False(second.IsCompleted);
        own.SetResult();
        await second.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);

        // Its own connection counts, which it waited for.
        Assert.Equal(Outcome.Forwarded, exchange.Outcome);
        Assert.InRange(TimeProvider.System.GetElapsedTime(0, exchange.Timings.Connecting), TimeSpan.FromMilliseconds(90), TimeProvider.System.GetElapsedTime(exchange.Timings.Received));
        await exchange.ResponseBody.DisposeAsync();
    }

    private static void Begin(Exchange exchange, string host, CancellationToken aborted)
    {
        exchange.Method = "GET";
        exchange.Direction = Direction.Egress;
        exchange.Aborted = aborted;
        exchange.Target = new ExchangeTarget("http", host, 80, "/", null);
        exchange.Timings.Received = TimeProvider.System.GetTimestamp();
    }

    /// <summary>Connections in memory that are there when the test says so, in the order in which they were asked for.</summary>
    private sealed class HeldConnections : IConnectionFactory
    {
        private readonly Channel<TaskCompletionSource> _asked = Channel.CreateUnbounded<TaskCompletionSource>();

        public async Task<TaskCompletionSource> NextAsync()
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            return await _asked.Reader.ReadAsync(patience.Token);
        }

        public async ValueTask<ConnectionContext> ConnectAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
        {
            var held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _asked.Writer.TryWrite(held);
            await held.Task;
            return new MemoryConnection(["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"u8.ToArray()]);
        }
    }
}
