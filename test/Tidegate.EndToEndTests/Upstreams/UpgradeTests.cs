using System.Text;
using Tidegate.Exchanges;
using Tidegate.Forwarding.Connecting;
using Tidegate.Forwarding.Http1;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>101 and tunnels on our own client: raw bytes both ways, and each side's end on its own.</summary>
public sealed class UpgradeTests : ForwardTest
{
    private const string Switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: x\r\n\r\n";

    [Fact]
    public async Task After_a_101_bytes_flow_both_ways_and_a_half_close_is_passed_on()
    {
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadHeadAsync();

            // What follows the head in the same packet is the new protocol's.
            await connection.WriteAsync(Switching + "first");
            var buffer = new byte[100];
            var received = new StringBuilder();
            while (await connection.Socket.ReceiveAsync(buffer.AsMemory(), connection.Stopping) is > 0 and var read)
            {
                received.Append(Encoding.Latin1.GetString(buffer, 0, read));
            }

            await connection.WriteAsync($"you said {received}");
        });
        var exchange = Upgrade(upstream.Port);

        await ForwardAsync(exchange, Upstream());

        Assert.Equal((101, Outcome.Forwarded, "x"), (exchange.ResponseStatus, exchange.Outcome, exchange.ResponseHeaders.Get("Sec-WebSocket-Accept")));
        Assert.Equal(1, Pool.Open);
        await using (var stream = Assert.IsType<ConnectionStream>(exchange.UpstreamStream))
        {
            await stream.WriteAsync("hello"u8.ToArray(), Cancellation);
            await stream.CompleteWritesAsync();
            using var reader = new StreamReader(stream, leaveOpen: true);
            Assert.Equal("firstyou said hello", await reader.ReadToEndAsync(Cancellation));
        }

        Assert.Equal((0, 0), (Pool.Open, Pool.Idle));
    }

    [Theory]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: smtp\r\n\r\n")]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n")]
    public async Task A_101_must_be_to_what_was_asked_for(string answer)
    {
        await using var upstream = ScriptedUpstream.Answering(answer);
        var exchange = Upgrade(upstream.Port);

        await ForwardAsync(exchange, Upstream());

        Assert.Equal("response_malformed", exchange.Failure?.Code);
        await EventuallyAsync(() => Pool.Open == 0, "The connection was kept.");
    }

    [Fact]
    public async Task An_upgrade_that_is_declined_is_an_answer_like_any_other()
    {
        await using var upstream = ScriptedUpstream.Answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
        var exchange = Upgrade(upstream.Port);

        await ForwardAsync(exchange, Upstream());

        Assert.Equal((200, "no"), (exchange.ResponseStatus, await ReadAsync(exchange)));
        Assert.Null(exchange.UpstreamStream);
        Assert.Equal(1, Pool.Idle);
    }

    [Fact]
    public async Task A_cancelled_read_ends_the_stream_with_a_cancellation()
    {
        await using var upstream = new ScriptedUpstream(connection => connection.WaitForEndAsync());
        var exchange = NewExchange(upstream.Port);
        await Forwarder.ConnectTunnelAsync(exchange, Upstream());
        await using var stream = exchange.UpstreamStream!;
        using var client = new CancellationTokenSource();
        var reading = stream.ReadAsync(new byte[10], client.Token).AsTask();

        await client.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
    }

    private Exchange Upgrade(int port)
    {
        var exchange = NewExchange(port);
        exchange.UpgradeProtocol = "websocket";
        return exchange;
    }

    private PoolStatistics Pool => Assert.Single(Forwarder.PoolStatistics);
}
