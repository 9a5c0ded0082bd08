using System.Globalization;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Wire;

/// <summary>HTTP/1.1 beyond the plain case: pipelining, HTTP/1.0, answers without content, OPTIONS, upgrades that are refused.</summary>
public sealed class MessageSemanticsTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_hundred_pipelined_requests_get_a_hundred_answers_in_order()
    {
        await using var upstream = Echo();
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        var requests = new StringBuilder();
        for (var i = 0; i < 100; i++)
        {
            requests.Append(i % 3 == 0
                ? $"POST /{i} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                : i % 3 == 1 ? $"PUT /{i} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET " : $"GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n");
        }

        await client.SendAsync(requests.ToString());

        for (var i = 0; i < 100; i++)
        {
            Assert.Contains($" /{i} HTTP/1.1", (await client.ReadAnswerAsync()).Content, StringComparison.Ordinal);
        }

        Assert.Equal(100, (await gateway.RecordsAsync(100, Cancellation)).Count);
    }

    [Fact]
    public async Task An_http10_client_is_answered_without_chunks_up_to_the_close()
    {
        await using var upstream = new RawUpstream("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n");
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");

        var answer = await client.ReadAnswerAsync();

        Assert.Equal("abcdef", answer.Content);
        Assert.Null(answer.Field("Transfer-Encoding"));
        Assert.Equal("close", answer.Field("Connection"));
    }

    [Fact]
    public async Task An_http10_client_that_asks_for_it_keeps_its_connection()
    {
        await using var upstream = Echo();
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        for (var i = 0; i < 3; i++)
        {
            await client.SendAsync($"GET /{i} HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n");
            var answer = await client.ReadAnswerAsync();
            Assert.Equal("keep-alive", answer.Field("Connection"));
            Assert.Contains($"GET /{i} HTTP/1.1", answer.Content, StringComparison.Ordinal);
        }

        await client.SendAsync("GET /last HTTP/1.0\r\nHost: a\r\n\r\n");
        Assert.Equal("close", (await client.ReadAnswerAsync()).Field("Connection"));
        Assert.Equal("", await client.ReadToEndAsync());
    }

    [Fact]
    public async Task An_http10_request_without_a_host_is_served_by_an_api_without_hosts()
    {
        await using var upstream = Echo();
        await using var gateway = await StartAsync(upstream);

        Assert.StartsWith("HTTP/1.1 200 ", await RawClient.ExchangeAsync(gateway["ingress"], "GET / HTTP/1.0\r\n\r\n", Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_close_delimited_answer_of_an_http10_upstream_arrives_whole()
    {
        await using var upstream = new RawUpstream("HTTP/1.0 200 OK\r\nX: 1\r\n\r\nuntil the close", close: true);
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");

        Assert.Equal("until the close", (await client.ReadAnswerAsync()).Content);
    }

    [Theory]
    [InlineData("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", 200, "1234")]
    [InlineData("HEAD", "HTTP/1.1 200 OK\r\n\r\n", 200, null)]
    [InlineData("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, null)]
    [InlineData("GET", "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 1234\r\n\r\n", 304, "1234")]
    [InlineData("GET", "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n", 304, null)]
    [InlineData("GET", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", 205, "0")]
    [InlineData("POST", "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", 201, "0")]
    public async Task An_answer_without_content_says_what_the_upstream_said_and_keeps_the_connection(string method, string answer, int status, string? length)
    {
        await using var upstream = new RawUpstream(answer);
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        for (var i = 0; i < 2; i++)
        {
            await client.SendAsync($"{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
            var reply = await client.ReadAnswerAsync(isHead: method == "HEAD");
            Assert.Equal((status, length, ""), (reply.Status, reply.Field("Content-Length"), reply.Content));
        }

        Assert.All(await gateway.RecordsAsync(2, Cancellation), record => Assert.Equal((Outcome.Forwarded, 0), (record.Outcome, record.ResponseBytes)));
    }

    [Fact]
    public async Task A_problem_in_answer_to_a_head_has_no_content()
    {
        await using var upstream = Echo();
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("HEAD /a%2fb HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");

        Assert.Equal(400, (await client.ReadAnswerAsync(isHead: true)).Status);
        Assert.Contains("GET /next", (await client.ReadAnswerAsync()).Content, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n")]
    [InlineData("OPTIONS http://a.test HTTP/1.1\r\nHost: a.test\r\n")]
    public async Task Options_for_the_whole_server_reaches_the_api_that_has_the_hosts_root(string request)
    {
        await using var upstream = Echo();
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync(request + "\r\n");

        // Upstream clients that cannot write this target say so instead of asking for something else.
        var answer = await client.ReadAnswerAsync();
        Assert.True(answer.Content.StartsWith("OPTIONS * HTTP/1.1\r\n", StringComparison.Ordinal) || answer.Content.Contains("asterisk_not_forwarded", StringComparison.Ordinal), answer.Content);
        Assert.Equal(("all", "*"), await RecordedAsync(gateway));
    }

    [Fact]
    public async Task Options_for_a_host_whose_root_no_api_has_is_404()
    {
        await using var upstream = Echo();
        await using var gateway = await TestGateway.StartAsync($$"""
            listeners: { ingress: { address: 127.0.0.1:0 } }
            apis: [{ name: orders, direction: ingress, path: /orders, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }]
            """, Cancellation);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n");

        Assert.Contains("no_route", (await client.ReadAnswerAsync()).Content, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_upgrade_that_the_upstream_does_not_take_is_an_answer_like_any_other()
    {
        await using var upstream = Echo();
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");

        var answer = await client.ReadAnswerAsync();

        Assert.Equal(200, answer.Status);
        Assert.Contains("Upgrade: websocket", answer.Content, StringComparison.Ordinal);
        await client.SendAsync("GET /after HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Contains("GET /after", (await client.ReadAnswerAsync()).Content, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("h2c")]
    [InlineData("websocket, h2c")]
    [InlineData("HTTP/2.0")]
    [InlineData("TLS/1.3")]
    public async Task An_upgrade_to_another_http_is_not_passed_on(string protocol)
    {
        await using var upstream = Echo();
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync($"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n");

        var seen = (await client.ReadAnswerAsync()).Content;

        Assert.DoesNotContain("Upgrade", seen, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("HTTP2-Settings", seen, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_request_with_content_cannot_ask_for_an_upgrade()
    {
        await using var upstream = Echo();
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc");

        Assert.DoesNotContain("Upgrade", (await client.ReadAnswerAsync()).Content, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_switch_of_protocols_that_nobody_asked_for_is_502()
    {
        await using var upstream = new RawUpstream("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");

        var answer = await client.ReadAnswerAsync();

        Assert.Equal(502, answer.Status);
        Assert.Contains("response_malformed", answer.Content, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bytes_behind_an_upgrade_request_reach_the_upstream_only_after_it_has_switched()
    {
        await using var upstream = new RawUpstream(async request =>
        {
            await request.SendAsync("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
            await request.SendAsync("got " + await request.ReadSomeAsync(5));
            request.Close = true;
        });
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello");

        var all = await client.ReadToEndAsync();

        Assert.StartsWith("HTTP/1.1 101 ", all, StringComparison.Ordinal);
        Assert.EndsWith("got hello", all, StringComparison.Ordinal);
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal((101, 5, 9), (record.Status, record.RequestBytes, record.ResponseBytes));
    }

    [Fact]
    public async Task An_empty_line_before_a_request_is_passed_over_however_it_is_cut()
    {
        await using var upstream = Echo();
        await using var gateway = await StartAsync(upstream);
        const string request = "\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n";
        for (var cut = 1; cut < 6; cut++)
        {
            using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
            await client.SendAsync(request[..cut]);
            await Task.Delay(20, Cancellation);
            await client.SendAsync(request[cut..]);
            Assert.Equal(200, (await client.ReadAnswerAsync()).Status);

            await client.SendAsync("\r\n" + request);
            Assert.Equal(400, (await client.ReadAnswerAsync()).Status);
        }
    }

    [Fact]
    public async Task The_hundred_is_sent_when_the_upstreams_side_begins_to_read()
    {
        await using var upstream = Echo();
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");

        Assert.Equal("HTTP/1.1 100 Continue\r\n\r\n", await client.ReadUntilAsync("\r\n\r\n"));
        await client.SendAsync("hello");
        Assert.Equal(200, (await client.ReadAnswerAsync()).Status);
        Assert.Equal("hello", upstream.Requests.Single().Content);
    }

    [Fact]
    public async Task A_long_answer_of_unknown_length_is_chunked_with_sizes_that_add_up()
    {
        var content = string.Concat(Enumerable.Range(0, 50_000).Select(i => i.ToString("x8", CultureInfo.InvariantCulture)));
        await using var upstream = new RawUpstream(async request =>
        {
            await request.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (var sent = 0; sent < content.Length;)
            {
                var size = Math.Min(1 + (sent * 7 % 30_000), content.Length - sent);
                await request.SendAsync($"{size:X}\r\n{content.Substring(sent, size)}\r\n");
                sent += size;
            }

            await request.SendAsync("0\r\nX-Sum: 1\r\n\r\n");
        });
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n");

        var answer = await client.ReadAnswerAsync();

        Assert.Equal(content, answer.Content);
        Assert.Contains("X-Sum: 1", answer.Trailers, StringComparison.Ordinal);
    }

    /// <summary>Answers with the request's own head.</summary>
    private static RawUpstream Echo() => new(async request =>
    {
        await request.ReadContentAsync();
        await request.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {request.Head.Length}\r\n\r\n{request.Head}");
    });

    private static async Task<(string, string)> RecordedAsync(TestGateway gateway)
    {
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        return (record.Api, record.Path);
    }

    private static Task<TestGateway> StartAsync(RawUpstream upstream) => TestGateway.StartAsync($$"""
        listeners: { ingress: { address: 127.0.0.1:0 } }
        apis:
          - { name: all, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }
        """, Cancellation);
}
