using System.Text;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Wire;

/// <summary>What a client may take from a listener, each limit set short and tried over a raw socket.</summary>
public sealed class EdgeLimitTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("connections: 2")]
    [InlineData("connections_per_address: 2")]
    public async Task A_connection_over_the_limit_is_closed_and_its_place_is_free_again_afterwards(string limit)
    {
        await using var upstream = new RawUpstream(Ok);
        await using var gateway = await StartAsync(upstream, limit);
        using var first = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        using (var second = await RawClient.ConnectAsync(gateway["ingress"], Cancellation))
        {
            await first.SendAsync(Get);
            await second.SendAsync(Get);
            Assert.Equal((200, 200), ((await first.ReadAnswerAsync()).Status, (await second.ReadAnswerAsync()).Status));

            Assert.Equal("", await RefusedAsync(gateway));
        }

        // The place of the second is given back when the gateway has seen it leave.
        for (var tries = 0; ; tries++)
        {
            try
            {
                using var fourth = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
                await fourth.SendAsync(Get);
                Assert.Equal(200, (await fourth.ReadAnswerAsync()).Status);
                break;
            }
            catch (Exception refused) when (tries < 1_000 && refused is IOException or System.Net.Sockets.SocketException)
            {
                await Task.Delay(20, Cancellation);
            }
        }

        await first.SendAsync(Get);
        Assert.Equal(200, (await first.ReadAnswerAsync()).Status);
    }

    [Fact]
    public async Task A_connection_that_never_ends_its_tls_handshake_takes_a_place_like_any_other()
    {
        using var certificates = new TestCertificates();
        using var certificate = certificates.Create("edge", "edge.test");
        await using var gateway = await TestGateway.StartAsync($$"""
            listeners: { ingress: { address: 127.0.0.1:0, tls: [{ certificate: {{certificates.Directory}}/edge.pem, key: {{certificates.Directory}}/edge.key }], limits: { connections: 2 } } }
            """, Cancellation);
        using var first = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        using var second = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        // Each is accepted by one of several reactors: the third could overtake them.
        using var client = new HttpClient();
        await Eventually.HoldsAsync(async () => new PrometheusScrape(await client.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation)).Sum("tidegate_listener_connections", "listener=\"ingress\"") == 2, "The two were not accepted.", Cancellation);

        Assert.Equal("", await RefusedAsync(gateway));
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\n")]
    [InlineData("G")]
    [InlineData("\r\nGET /")]
    [InlineData("PRI * HT")]
    public async Task A_head_that_does_not_end_in_time_is_408(string part)
    {
        await using var upstream = new RawUpstream(Ok);
        await using var gateway = await StartAsync(upstream, "header_timeout: 200ms");

        var reply = await RawClient.ExchangeAsync(gateway["ingress"], part, Cancellation);

        Assert.StartsWith("HTTP/1.1 408 ", reply, StringComparison.Ordinal);
        Assert.Contains("head_timeout", reply, StringComparison.Ordinal);
        Assert.Equal("head_timeout", (await gateway.RecordsAsync(1, Cancellation))[0].Code);
    }

    [Fact]
    public async Task A_head_that_the_client_cut_short_is_400_and_one_record()
    {
        await using var upstream = new RawUpstream(Ok);
        await using var gateway = await StartAsync(upstream, "");
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n");
        client.HalfClose();

        await client.ReadToEndAsync();

        Assert.Equal("head_truncated", (await gateway.RecordsAsync(1, Cancellation))[0].Code);
        Assert.Empty(upstream.Requests);
    }

    [Theory]
    [InlineData("")]
    [InlineData(Get)]
    [InlineData(Get + "\r\n")]
    public async Task A_connection_that_waits_too_long_for_a_request_is_closed_without_a_word(string before)
    {
        await using var upstream = new RawUpstream(Ok);
        await using var gateway = await StartAsync(upstream, "idle_timeout: 1500ms");
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync(before);

        var reply = await client.ReadToEndAsync();

        Assert.Equal(before.Length == 0 ? "" : "ok", reply.Length == 0 ? "" : reply[^2..]);
        Assert.False(client.WasReset);
    }

    [Theory]
    [InlineData("body_rate: 10000, body_grace: 100ms")]
    [InlineData("body_rate: 0, stall_timeout: 300ms")]
    public async Task Content_that_comes_too_slowly_is_408_and_never_whole_upstream(string limits)
    {
        await using var upstream = new RawUpstream(Ok);
        await using var gateway = await StartAsync(upstream, limits);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");

        var reply = await client.ReadToEndAsync();

        Assert.StartsWith("HTTP/1.1 408 ", reply, StringComparison.Ordinal);
        Assert.Contains("client_body_timeout", reply, StringComparison.Ordinal);
        Assert.Equal("client_body_timeout", (await gateway.RecordsAsync(1, Cancellation))[0].Code);
        Assert.All(upstream.Requests, request => Assert.NotEqual("HTTP/1.1 200", request.Content));
        foreach (var request in upstream.Requests)
        {
            Assert.False(await request.ContentIsWhole.WaitAsync(TimeSpan.FromSeconds(60), Cancellation));
        }
    }

    [Fact]
    public async Task Content_that_trickles_below_the_rate_is_408_although_it_never_pauses()
    {
        await using var upstream = new RawUpstream(Ok);
        await using var gateway = await StartAsync(upstream, "body_rate: 1000, body_grace: 200ms");
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        var reading = client.ReadToEndAsync();
        for (var i = 0; i < 400 && !reading.IsCompleted; i++)
        {
            try
            {
                await client.SendAsync("1\r\nx\r\n");
            }
            catch (System.Net.Sockets.SocketException)
            {
                break;
            }

            await Task.Delay(20, Cancellation);
        }

        await reading;
        Assert.Equal("client_body_timeout", (await gateway.RecordsAsync(1, Cancellation))[0].Code);
    }

    [Fact]
    public async Task A_slow_upstream_does_not_count_against_the_client_that_waits_for_it()
    {
        await using var upstream = new RawUpstream(async request =>
        {
            // Long after the client's grace would be over.
            await Task.Delay(600, Cancellation);
            await request.ReadContentAsync();
            await request.SendAsync(Ok);
        });
        await using var gateway = await StartAsync(upstream, "body_rate: 10000, body_grace: 300ms");
        var content = new string('x', 4_000_000);

        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync($"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {content.Length}\r\n\r\n{content}");

        Assert.Equal(200, (await client.ReadAnswerAsync()).Status);
        Assert.True(await upstream.Requests.Single().ContentIsWhole);
    }

    [Fact]
    public async Task A_client_that_stops_reading_loses_its_connection_and_the_upstream_is_let_go()
    {
        var released = new TaskCompletionSource();
        await using var upstream = new RawUpstream(async request =>
        {
            await request.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            var chunk = Encoding.Latin1.GetBytes("10000\r\n" + new string('x', 65536) + "\r\n");
            try
            {
                while (true)
                {
                    await request.SendAsync(chunk);
                }
            }
            catch (System.Net.Sockets.SocketException)
            {
                released.SetResult();
                throw;
            }
        });
        await using var gateway = await StartAsync(upstream, "stall_timeout: 300ms");
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation, receiveBufferBytes: 8192);
        await client.SendAsync(Get);

        var record = (await gateway.RecordsAsync(1, Cancellation))[0];

        Assert.Equal((Outcome.Failed, "client_stalled"), (record.Outcome, record.Code));
        await released.Task.WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
        Assert.DoesNotContain("\r\n0\r\n\r\n", await client.ReadToEndAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_reads_slowly_but_steadily_keeps_its_answer()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port, "stall_timeout: 3s");
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation, receiveBufferBytes: 8192);
        await client.SendAsync("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        for (var i = 0; i < 90; i++)
        {
            await client.ReadAsync(64 * 1024);
            await Task.Delay(50, Cancellation);
        }

        client.Reset();
        Assert.Equal("client_aborted", (await gateway.RecordsAsync(1, Cancellation))[0].Code);
    }

    [Theory]
    [InlineData("target: 100", "GET /%P HTTP/1.1\r\nHost: a\r\n\r\n", 414, "target_too_long")]
    [InlineData("head: 200", "GET / HTTP/1.1\r\nHost: a\r\nX: %P\r\n\r\n", 431, "head_too_large")]
    [InlineData("trailers: 100", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: %P\r\n\r\n", 400, "client_body_malformed")]
    [InlineData("trailers: 100", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: 123456789012345678901234567890\r\nB: 123456789012345678901234567890\r\nC: 123456789012345678901234567890\r\nD: 123456789012345678901234567890\r\n\r\n", 400, "client_body_malformed")]
    public async Task A_part_of_a_request_over_its_limit_is_refused(string limit, string request, int status, string code)
    {
        await using var upstream = new RawUpstream(Ok);
        await using var gateway = await StartAsync(upstream, limit);

        var reply = await RawClient.ExchangeAsync(gateway["ingress"], request.Replace("%P", new string('p', 300), StringComparison.Ordinal), Cancellation);

        Assert.StartsWith($"HTTP/1.1 {status} ", reply, StringComparison.Ordinal);
        Assert.Contains(code, reply, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_target_over_its_limit_is_414_over_http2_too()
    {
        await using var upstream = new RawUpstream(Ok);
        await using var gateway = await StartAsync(upstream, "target: 100");

        Assert.Equal("414", await RawHttp2.GetAsync(gateway["ingress"], "/" + new string('p', 200), [], Cancellation));
        Assert.Equal("target_too_long", (await gateway.RecordsAsync(1, Cancellation))[0].Code);
    }

    [Fact]
    public async Task A_method_over_32_characters_is_refused_over_http2_too_and_kept_only_in_part()
    {
        await using var upstream = new RawUpstream(Ok);
        await using var gateway = await StartAsync(upstream, "");
        using var connection = await RawHttp2.ConnectAsync(gateway["ingress"], Cancellation);
        await connection.SendHeadersAsync(1, RawHttp2.Request(new string('M', 8_000), "a", "/"));
        await connection.SendHeadersAsync(3, RawHttp2.Request(new string('M', 32), "a", "/"));

        Assert.Equal("400", (await connection.ReadAnswerAsync(1)).Status);
        var records = await gateway.RecordsAsync(2, Cancellation);
        Assert.Equal(["", "method_too_long"], records.Select(record => record.Code).Order());
        Assert.All(records, record => Assert.Equal(32, record.Method.Length));
    }

    [Fact]
    public async Task A_reply_that_leaves_more_content_unread_than_is_drained_announces_the_close()
    {
        await using var upstream = new RawUpstream(Ok);
        await using var gateway = await StartAsync(upstream, "drain: 1KB");
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("POST /too-large HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");

        var reply = await client.ReadAnswerAsync();

        Assert.Equal((413, "close"), (reply.Status, reply.Field("Connection")));
    }

    [Fact]
    public async Task A_reply_to_content_that_waits_for_a_100_announces_the_close()
    {
        await using var upstream = new RawUpstream(Ok);
        await using var gateway = await StartAsync(upstream, "");
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("POST /too-large HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n");

        var reply = await client.ReadAnswerAsync();

        Assert.Equal((413, "close"), (reply.Status, reply.Field("Connection")));
        Assert.Equal("", await client.ReadToEndAsync());
    }

    [Fact]
    public async Task A_reply_that_leaves_little_content_unread_keeps_the_connection()
    {
        await using var upstream = new RawUpstream(Ok);
        await using var gateway = await StartAsync(upstream, "");
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("POST /too-large HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" + new string('x', 5000) + Get);

        Assert.Equal(413, (await client.ReadAnswerAsync()).Status);
        Assert.Equal(200, (await client.ReadAnswerAsync()).Status);
    }

    [Fact]
    public async Task An_idle_http2_connection_is_closed_with_a_goaway()
    {
        await using var upstream = new RawUpstream(Ok);
        await using var gateway = await StartAsync(upstream, "idle_timeout: 1s");
        using var connection = await RawHttp2.ConnectAsync(gateway["ingress"], Cancellation);

        Assert.Equal(RawHttp2.GoAway, (await connection.ReadFrameAsync())!.Type);
        Assert.Null(await connection.ReadFrameAsync());
    }

    [Fact]
    public async Task Http2_content_that_comes_too_slowly_ends_its_stream_and_is_never_whole_upstream()
    {
        await using var upstream = new RawUpstream(Ok);
        await using var gateway = await StartAsync(upstream, "body_rate: 10000, body_grace: 1500ms");
        using var connection = await RawHttp2.ConnectAsync(gateway["ingress"], Cancellation);
        await connection.SendHeadersAsync(1, [.. RawHttp2.Request("POST", "a", "/"), ("content-length", "100")], endStream: false);
        await connection.SendDataAsync(1, "half", endStream: false);

        var answer = await connection.ReadAnswerAsync(1);

        Assert.NotEqual("200", answer.Status);
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.True(record.Code is "client_body_timeout" or "client_aborted", record.ToString());
        foreach (var request in upstream.Requests)
        {
            Assert.False(await request.ContentIsWhole.WaitAsync(TimeSpan.FromSeconds(60), Cancellation));
        }
    }

    [Fact]
    public async Task An_http2_client_that_opens_no_window_loses_its_connection()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port, "stall_timeout: 1500ms");
        using var connection = await RawHttp2.ConnectAsync(gateway["ingress"], Cancellation);
        await connection.SendHeadersAsync(1, RawHttp2.Request("GET", "a", "/large"));

        var answer = await connection.ReadAnswerAsync(1);

        Assert.NotEqual("END_STREAM", answer.End);
        Assert.Equal("client_stalled", (await gateway.RecordsAsync(1, Cancellation))[0].Code);
    }

    [Fact]
    public async Task An_http2_client_that_opens_no_window_for_a_short_answer_loses_its_stream()
    {
        await using var upstream = new RawUpstream(Ok);
        await using var gateway = await StartAsync(upstream, "stall_timeout: 1500ms");
        using var connection = await RawHttp2.ConnectAsync(gateway["ingress"], Cancellation);

        // SETTINGS_INITIAL_WINDOW_SIZE: 0.
        await connection.SendAsync(RawHttp2.Settings, 0, 0, [0, 4, 0, 0, 0, 0]);
        await connection.SendHeadersAsync(1, RawHttp2.Request("GET", "a", "/"));

        var answer = await connection.ReadAnswerAsync(1);

        Assert.Equal("200", answer.Status);
        Assert.NotEqual("END_STREAM", answer.End);
    }

    [Fact]
    public async Task More_streams_than_allowed_are_refused_and_the_others_go_on()
    {
        var go = new TaskCompletionSource();
        await using var upstream = new RawUpstream(async request =>
        {
            await go.Task.WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
            await request.SendAsync(Ok);
        });
        await using var gateway = await StartAsync(upstream, "streams_per_connection: 2");
        using var connection = await RawHttp2.ConnectAsync(gateway["ingress"], Cancellation);
        await connection.SendHeadersAsync(1, RawHttp2.Request("GET", "a", "/1"));
        await connection.SendHeadersAsync(3, RawHttp2.Request("GET", "a", "/2"));
        await connection.SendHeadersAsync(5, RawHttp2.Request("GET", "a", "/3"));

        Assert.Equal("RST_STREAM", (await connection.ReadAnswerAsync(5)).Status);
        go.SetResult();
        var answers = new[] { await connection.ReadFrameAsync(), await connection.ReadFrameAsync() };
        Assert.All(answers, frame => Assert.Equal(RawHttp2.Headers, frame!.Type is RawHttp2.Headers or RawHttp2.Data ? RawHttp2.Headers : frame.Type));
    }

    private static async Task<string> RefusedAsync(TestGateway gateway)
    {
        try
        {
            using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
            return await client.ReadToEndAsync();
        }
        catch (System.Net.Sockets.SocketException)
        {
            // Closed before connect had returned.
            return "";
        }
    }

    private static Task<TestGateway> StartAsync(RawUpstream upstream, string limits) => StartAsync(upstream.Port, limits);

    private static Task<TestGateway> StartAsync(int upstreamPort, string limits) => TestGateway.StartAsync($$"""
        listeners: { ingress: { address: 127.0.0.1:0, limits: { {{limits}} } } }
        apis:
          - { name: all, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstreamPort}}"] } }
          - { name: small, direction: ingress, path: /too-large, max_request_body: 100, upstream: { destinations: ["http://127.0.0.1:{{upstreamPort}}"] } }
        """, Cancellation);
}
