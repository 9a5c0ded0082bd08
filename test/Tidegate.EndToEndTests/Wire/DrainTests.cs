using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Wire;

/// <summary>A drain in the middle of a message: what has begun finishes, and the connection says that it closes.</summary>
public sealed class DrainTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Content-Length: 8\r\n\r\nhalf", "more")]
    [InlineData("Content-Length: 8\r\n\r\n", "halfmore")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n4\r\nha", "lf\r\n4\r\nmore\r\n0\r\n\r\n")]
    public async Task An_upload_that_a_drain_interrupts_arrives_whole(string before, string after)
    {
        await using var upstream = Consume();
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\n" + before);

        // Under way; whether its head has come to the upstream before any content is the upstream client's affair.
        using var metrics = new HttpClient();
        await Eventually.HoldsAsync(async () => new PrometheusScrape(await metrics.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation)).Sum("tidegate_exchanges_in_flight") == 1, "The exchange did not begin.", Cancellation);

        var draining = gateway.DrainAsync(TimeSpan.FromSeconds(60));
        await Task.Delay(50, Cancellation);
        await client.SendAsync(after);

        // Said in the answer: the client's next request would be lost on a connection that closes.
        var answer = await client.ReadAnswerAsync();
        Assert.Equal((200, "close"), (answer.Status, answer.Field("Connection")));
        Assert.Equal("halfmore", upstream.Requests.Single().Content);
        await draining;
        Assert.Equal("", await client.ReadToEndAsync());
    }

    [Fact]
    public async Task A_head_that_a_drain_interrupts_is_still_answered_and_the_connection_closed()
    {
        await using var upstream = Consume();
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("GET / HTTP/1.1\r\nHo");

        // A connection that was not accepted yet is nobody's.
        using var metrics = new HttpClient();
        await Eventually.HoldsAsync(async () => new PrometheusScrape(await metrics.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation)).Sum("tidegate_listener_connections", "listener=\"ingress\"") == 1, "It was not accepted.", Cancellation);
        await Task.Delay(50, Cancellation);

        var draining = gateway.DrainAsync(TimeSpan.FromSeconds(60));
        await Task.Delay(50, Cancellation);
        await client.SendAsync("st: a\r\n\r\n");

        var answer = await client.ReadAnswerAsync();
        Assert.Equal((200, "close"), (answer.Status, answer.Field("Connection")));
        await draining;
    }

    [Fact]
    public async Task A_stream_that_a_drain_interrupts_ends_as_the_upstream_ends_it()
    {
        var go = new TaskCompletionSource();
        await using var upstream = new RawUpstream(async request =>
        {
            await request.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
            await go.Task;
            await request.SendAsync("6\r\nsecond\r\n0\r\n\r\n");
        });
        await using var gateway = await StartAsync(upstream);
        using var first = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        using var second = await RawHttp2.ConnectAsync(gateway["ingress"], Cancellation);
        await first.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        await second.SendHeadersAsync(1, RawHttp2.Request("GET", "a", "/"));
        await first.ReadUntilAsync("\r\n\r\n");
        await ArrivedAsync(upstream, 2);

        var draining = gateway.DrainAsync(TimeSpan.FromSeconds(60));
        await Task.Delay(100, Cancellation);
        Assert.False(draining.IsCompleted);
        go.SetResult();

        Assert.EndsWith("6\r\nsecond\r\n0\r\n\r\n", await first.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.Equal(("200", "firstsecond", "END_STREAM"), await AnswerAsync(second));
        await draining;
    }

    [Fact]
    public async Task What_does_not_finish_within_the_limit_is_cut_and_recorded()
    {
        await using var upstream = new RawUpstream(async request =>
        {
            await request.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
            await request.WaitForEndAsync();
        });
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        await client.ReadUntilAsync("first");

        await gateway.DrainAsync(TimeSpan.FromMilliseconds(300)).WaitAsync(TimeSpan.FromSeconds(60), Cancellation);

        Assert.DoesNotContain("0\r\n\r\n", await client.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.Equal(Outcome.Failed, (await gateway.RecordsAsync(1, Cancellation))[0].Outcome);
    }

    private static RawUpstream Consume() => new(async request =>
    {
        if (await request.ReadContentAsync())
        {
            await request.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });

    private static async Task<(string, string, string)> AnswerAsync(RawHttp2 connection)
    {
        var answer = await connection.ReadAnswerAsync(1);
        return (answer.Status, answer.Content, answer.End);
    }

    private static Task ArrivedAsync(RawUpstream upstream, int count) => Eventually.HoldsAsync(() => upstream.Requests.Count >= count, "No request came to the upstream.", Cancellation);

    private static Task<TestGateway> StartAsync(RawUpstream upstream) => TestGateway.StartAsync($$"""
        listeners: { ingress: { address: 127.0.0.1:0 } }
        apis: [{ name: all, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }]
        """, Cancellation);
}
