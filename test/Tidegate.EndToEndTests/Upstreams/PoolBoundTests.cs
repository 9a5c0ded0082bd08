using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Forwarding.Connecting;
using Tidegate.Forwarding.Http1;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>A bound on connections: who waits is served in turn, for as long as connecting may take.</summary>
public sealed class PoolBoundTests : ForwardTest
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    [Fact]
    public async Task Waiting_exchanges_are_served_in_turn_on_the_same_connection()
    {
        await using var upstream = ScriptedUpstream.Answering(Ok);
        var first = await BeginAsync(upstream.Port);
        var order = new List<int>();
        var waiting = Enumerable.Range(1, 3).Select(async i =>
        {
            var exchange = await BeginAsync(upstream.Port);
            lock (order)
            {
                order.Add(i);
            }

            await Task.Yield();
            Assert.Equal("ok", await ReadAsync(exchange));
        }).ToList();
        await EventuallyAsync(() => Pool.Waiting == 3, "They do not wait.");
        Assert.Equal(1, Pool.Open);

        await ReadAsync(first);
        await Task.WhenAll(waiting);

        Assert.Equal([1, 2, 3], order);
        Assert.Equal((1, 1, 0, 1), (Pool.Open, Pool.Idle, Pool.Waiting, upstream.Accepted));
    }

    [Fact]
    public async Task Who_waits_gets_the_place_of_a_connection_that_was_closed()
    {
        await using var upstream = ScriptedUpstream.Answering("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
        var first = await BeginAsync(upstream.Port);
        var second = BeginAsync(upstream.Port);
        await EventuallyAsync(() => Pool.Waiting == 1, "It does not wait.");

        await ReadAsync(first);

        Assert.Equal("ok", await ReadAsync(await second));
        await EventuallyAsync(() => Pool.Open == 0, "A place was lost.");
        Assert.Equal(2, upstream.Accepted);
    }

    [Fact]
    public async Task Waiting_for_longer_than_connecting_may_take_is_connect_timeout_and_leaves_no_trace()
    {
        await using var upstream = ScriptedUpstream.Answering(Ok);
        var first = await BeginAsync(upstream.Port);

        var second = await BeginAsync(upstream.Port, Timeouts(connectMilliseconds: 50));

        Assert.Equal(("connect_timeout", true), (second.Failure?.Code, second.Failure!.Retryable));
        Assert.Equal(0, Pool.Waiting);
        await ReadAsync(first);
        Assert.Equal((1, 1), (Pool.Open, Pool.Idle));
    }

    [Fact]
    public async Task Content_that_is_less_than_it_said_is_a_bug_that_costs_no_place()
    {
        await using var upstream = ScriptedUpstream.Answering(Ok);
        for (var i = 0; i < 2; i++)
        {
            var exchange = NewExchange(upstream.Port, method: "POST");
            var body = new TestBody(10);
            body.Add("four");
            body.End();
            exchange.RequestBody = body;
            await Assert.ThrowsAsync<InvalidOperationException>(() => ForwardAsync(exchange, Upstream(maxConnections: 1)));
            await EventuallyAsync(() => Pool.Open == 0, "A place was lost.");
        }

        Assert.Equal("ok", await ReadAsync(await BeginAsync(upstream.Port)));
    }

    [Fact]
    public async Task Who_leaves_while_waiting_leaves_the_queue()
    {
        using var client = new CancellationTokenSource();
        await using var upstream = ScriptedUpstream.Answering(Ok);
        var first = await BeginAsync(upstream.Port);
        var second = NewExchange(upstream.Port);
        second.Aborted = client.Token;
        var waiting = ForwardAsync(second, Upstream(maxConnections: 1));
        await EventuallyAsync(() => Pool.Waiting == 1, "It does not wait.");

        await client.CancelAsync();
        await waiting;

        Assert.Equal(("client_aborted", 0), (second.Failure?.Code, Pool.Waiting));
        await ReadAsync(first);
        Assert.Equal((1, 1), (Pool.Open, Pool.Idle));
    }

    [Fact]
    public async Task A_destination_that_refuses_gives_its_place_to_the_next()
    {
        var port = TestPorts.Free();
        var exchanges = await Task.WhenAll(Enumerable.Range(0, 500).Select(_ => BeginAsync(port)));

        Assert.All(exchanges, exchange => Assert.Equal("connect_failed", exchange.Failure?.Code));
        Assert.Equal((0, 0), (Pool.Open, Pool.Waiting));
    }

    [Fact]
    public async Task Beyond_a_thousand_waiting_the_next_is_told_at_once()
    {
        await using var upstream = ScriptedUpstream.Answering(Ok);
        var first = await BeginAsync(upstream.Port);
        var waiting = Enumerable.Range(0, ConnectionPool.MaxWaiting).Select(_ => BeginAsync(upstream.Port)).ToList();
        await EventuallyAsync(() => Pool.Waiting == ConnectionPool.MaxWaiting, "They do not wait.");

        var refused = await BeginAsync(upstream.Port);

        Assert.Equal(("connect_failed", true, 1L), (refused.Failure?.Code, refused.Failure!.Retryable, Pool.Refused));
        await ReadAsync(first);
        foreach (var one in waiting)
        {
            Assert.Equal("ok", await ReadAsync(await one));
        }

        Assert.Equal((1, 0), (Pool.Open, Pool.Waiting));
    }

    [Fact]
    public async Task The_bound_holds_across_partitions_and_nobody_starves()
    {
        var partition = new AsyncLocal<int>();
        await using var forwarder = new Forwarder(TimeProvider.System, new ForwarderOptions { Source = new ConnectionSource(new SocketConnectionFactory(), 2, () => partition.Value) });
        var open = 0;
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            Interlocked.Increment(ref open);
            while (await connection.ReadRequestAsync() is not null)
            {
                await connection.WriteAsync(Ok);
            }

            Interlocked.Decrement(ref open);
        });

        await Task.WhenAll(Enumerable.Range(0, 200).Select(i => Task.Run(async () =>
        {
            partition.Value = i % 2;
            var exchange = NewExchange(upstream.Port);
            await forwarder.ForwardAsync(exchange, Upstream(Timeouts(connectMilliseconds: 20_000), maxConnections: 3));
            Assert.True(exchange.Outcome == Outcome.Forwarded, exchange.Failure?.Detail);
            Assert.InRange(Assert.Single(forwarder.PoolStatistics).Open, 1, 3);
            await ReadAsync(exchange);
        })));

        var pool = Assert.Single(forwarder.PoolStatistics);
        Assert.Equal(0, pool.Waiting);
        Assert.InRange(pool.Open, 1, 3);

        // The upstream sees an end a while after we have made it, and then the same connections.
        await EventuallyAsync(() => Volatile.Read(ref open) == pool.Open, "More connections are open than are counted.");
    }

    private async Task<Exchange> BeginAsync(int port, UpstreamTimeouts? timeouts = null)
    {
        var exchange = NewExchange(port);
        await ForwardAsync(exchange, Upstream(timeouts ?? Timeouts(connectMilliseconds: 20_000), maxConnections: 1));
        return exchange;
    }

    private PoolStatistics Pool => Assert.Single(Forwarder.PoolStatistics);
}
