using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Wire;

/// <summary>What RFC 9113 calls malformed, as frames over a raw socket: it never reaches an upstream, and the gateway goes on.</summary>
public sealed class Http2FrameTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("x\ry", "1")]
    [InlineData("x\ny", "1")]
    [InlineData("x\0y", "1")]
    [InlineData("x y", "1")]
    [InlineData("x:y", "1")]
    [InlineData("X-Upper", "1")]
    [InlineData("", "1")]
    [InlineData("x\u00ffy", "1")]
    [InlineData("x", "a\rb")]
    [InlineData("x", "a\nb")]
    [InlineData("x", "a\0b")]
    [InlineData("x", "a\r\nTransfer-Encoding: chunked")]
    [InlineData("x", " a")]
    [InlineData("x", "a ")]
    [InlineData("x", "\ta")]
    [InlineData("connection", "close")]
    [InlineData("connection", "keep-alive")]
    [InlineData("keep-alive", "timeout=5")]
    [InlineData("proxy-connection", "keep-alive")]
    [InlineData("transfer-encoding", "chunked")]
    [InlineData("transfer-encoding", "identity")]
    [InlineData("upgrade", "h2c")]
    [InlineData("te", "gzip")]
    [InlineData("te", "trailers, gzip")]
    [InlineData(":path", "/again")]
    [InlineData(":unknown", "1")]
    [InlineData(":status", "200")]
    [InlineData("content-length", "+1")]
    [InlineData("content-length", "0x0")]
    [InlineData("content-length", "0, 0")]
    public Task A_malformed_field_never_reaches_the_upstream(string name, string value) =>
        RefusedAsync([.. RawHttp2.Request("GET", "a", "/"), (name, value)]);

    [Theory]
    [InlineData("GE T", "a", "/")]
    [InlineData("GET\r\n", "a", "/")]
    [InlineData("", "a", "/")]
    [InlineData("GET", "a\r\nx: y", "/")]
    [InlineData("GET", "a b", "/")]
    [InlineData("GET", "user@a", "/")]
    [InlineData("GET", "a", "/ HTTP/1.1\r\nHost: b\r\n\r\n")]
    [InlineData("GET", "a", "/a b")]
    [InlineData("GET", "a", "/a\u0001")]
    [InlineData("GET", "a", "/a#b")]
    [InlineData("GET", "a", "a")]
    [InlineData("GET", "a", "")]
    [InlineData("GET", "a", "*")]
    [InlineData("GET", "a", "http://b/")]
    public Task A_malformed_pseudo_field_never_reaches_the_upstream(string method, string authority, string path) =>
        RefusedAsync(RawHttp2.Request(method, authority, path));

    [Fact]
    public Task A_pseudo_field_behind_a_field_is_malformed() =>
        RefusedAsync([(":method", "GET"), (":scheme", "http"), ("x", "1"), (":authority", "a"), (":path", "/")]);

    [Fact]
    public Task A_request_without_a_path_is_malformed() => RefusedAsync([(":method", "GET"), (":scheme", "http"), (":authority", "a")]);

    [Fact]
    public Task A_connect_on_ingress_is_refused() => RefusedAsync([(":method", "CONNECT"), (":authority", "a:443")]);

    /// <summary>Kestrel keeps the number alone, so the spelling cannot be refused: what matters is that everybody reads the same length.</summary>
    [Theory]
    [InlineData("-0", "0", "")]
    [InlineData("+0", "0", "")]
    [InlineData("000", "0", "")]
    [InlineData("+4", "4", "four")]
    public async Task An_odd_spelling_of_a_length_is_forwarded_as_its_number(string sent, string forwarded, string content)
    {
        await using var upstream = new RawUpstream(async request =>
        {
            await request.ReadContentAsync();
            await request.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        });
        await using var gateway = await StartAsync(upstream);
        using var connection = await RawHttp2.ConnectAsync(gateway["ingress"], Cancellation);
        await connection.SendHeadersAsync(1, [.. RawHttp2.Request("POST", "a", "/"), ("content-length", sent)], endStream: content.Length == 0);
        if (content.Length > 0)
        {
            await connection.SendDataAsync(1, content, endStream: true);
        }

        Assert.Equal("200", (await connection.ReadAnswerAsync(1)).Status);
        var request = upstream.Requests.Single();
        Assert.Contains($"\r\nContent-Length: {forwarded}\r\n", request.Head, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain($": {sent}\r\n", forwarded == sent ? "" : request.Head, StringComparison.Ordinal);
        Assert.Equal(content, request.Content);
    }

    [Theory]
    [InlineData("-0")]
    [InlineData("-1")]
    public async Task A_length_that_the_content_does_not_keep_is_never_whole(string sent)
    {
        await using var upstream = new RawUpstream(async request =>
        {
            if (await request.ReadContentAsync())
            {
                await request.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            }
        });
        await using var gateway = await StartAsync(upstream);
        using var connection = await RawHttp2.ConnectAsync(gateway["ingress"], Cancellation);
        await connection.SendHeadersAsync(1, [.. RawHttp2.Request("POST", "a", "/"), ("content-length", sent)], endStream: false);
        await connection.SendDataAsync(1, "four", endStream: true);

        var answer = await connection.ReadAnswerAsync(1);

        Assert.True(answer.Status is "400" or "RST_STREAM" or "GOAWAY" or "closed" || answer.End == "RST_STREAM", answer.ToString());
        Assert.DoesNotContain(upstream.Requests, request => request.Content.Length > 0);
    }

    /// <summary>To an HTTP/1.1 upstream a request without content is whole with its head: it has to be known before that none comes (RFC 9113 8.1.1).</summary>
    [Theory]
    [InlineData("0")]
    [InlineData("-0")]
    public async Task Content_behind_a_length_of_nothing_keeps_the_request_from_the_upstream(string sent)
    {
        await using var upstream = new RawUpstream("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using var gateway = await StartAsync(upstream);
        using var connection = await RawHttp2.ConnectAsync(gateway["ingress"], Cancellation);
        await connection.SendHeadersAsync(1, [.. RawHttp2.Request("POST", "a", "/"), ("content-length", sent)], endStream: false);
        await Task.Delay(100, Cancellation);
        Assert.Empty(upstream.Requests);
        await connection.SendDataAsync(1, "four", endStream: true);

        var answer = await connection.ReadAnswerAsync(1);

        Assert.True(answer.Status is "400" or "RST_STREAM" or "GOAWAY" or "closed", answer.ToString());
        Assert.Empty(upstream.Requests);
    }

    [Fact]
    public async Task A_request_of_no_content_whose_end_does_not_come_is_told_so()
    {
        await using var upstream = new RawUpstream("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using var gateway = await TestGateway.StartAsync($$"""
            listeners: { ingress: { address: 127.0.0.1:0, limits: { body_rate: 0, body_grace: 500ms } } }
            apis: [{ name: all, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }]
            """, Cancellation);
        using var connection = await RawHttp2.ConnectAsync(gateway["ingress"], Cancellation);
        await connection.SendHeadersAsync(1, [.. RawHttp2.Request("POST", "a", "/"), ("content-length", "0")], endStream: false);
        Assert.Equal("408", (await connection.ReadAnswerAsync(1)).Status);

        var record = Assert.Single(await gateway.RecordsAsync(1, Cancellation));
        Assert.Equal((Outcome.Failed, "client_body_timeout"), (record.Outcome, record.Code));
        Assert.Empty(upstream.Requests);
    }

    [Fact]
    public async Task However_soon_a_client_resets_a_request_of_no_content_there_is_a_record_of_it()
    {
        await using var upstream = new RawUpstream("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using var gateway = await StartAsync(upstream);
        using var connection = await RawHttp2.ConnectAsync(gateway["ingress"], Cancellation);
        for (var streamId = 1; streamId < 40; streamId += 2)
        {
            await connection.SendHeadersAsync(streamId, [.. RawHttp2.Request("POST", "a", "/"), ("content-length", "0")], endStream: false);
            await connection.ResetAsync(streamId);
        }

        var records = await gateway.RecordsAsync(20, Cancellation);
        Assert.All(records, record => Assert.Equal((Outcome.Failed, "client_aborted"), (record.Outcome, record.Code)));
        Assert.Empty(upstream.Requests);
    }

    [Fact]
    public async Task A_length_of_nothing_is_kept_by_an_empty_frame()
    {
        await using var upstream = new RawUpstream("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using var gateway = await StartAsync(upstream);
        using var connection = await RawHttp2.ConnectAsync(gateway["ingress"], Cancellation);
        await connection.SendHeadersAsync(1, [.. RawHttp2.Request("POST", "a", "/"), ("content-length", "0")], endStream: false);
        await connection.SendDataAsync(1, "", endStream: true);

        Assert.Equal("200", (await connection.ReadAnswerAsync(1)).Status);
        Assert.Contains("\r\nContent-Length: 0\r\n", upstream.Requests.Single().Head, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("x", "a\r\nb")]
    [InlineData("x", "a\nb")]
    [InlineData("x\r\ny", "a")]
    [InlineData("X-Upper", "a")]
    [InlineData(":path", "/")]
    [InlineData("connection", "close")]
    [InlineData("transfer-encoding", "chunked")]
    public async Task A_malformed_trailer_keeps_the_content_from_being_whole(string name, string value)
    {
        await using var upstream = new RawUpstream(async request =>
        {
            if (await request.ReadContentAsync())
            {
                await request.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            }
        });
        await using var gateway = await StartAsync(upstream);
        using var connection = await RawHttp2.ConnectAsync(gateway["ingress"], Cancellation);
        await connection.SendHeadersAsync(1, RawHttp2.Request("POST", "a", "/"), endStream: false);
        await connection.SendDataAsync(1, "content", endStream: false);
        await connection.SendHeadersAsync(1, [(name, value)]);

        var answer = await connection.ReadAnswerAsync(1);

        Assert.True(answer.Status is "400" or "RST_STREAM" or "GOAWAY" or "closed", answer.ToString());
        foreach (var request in upstream.Requests)
        {
            Assert.False(await request.ContentIsWhole.WaitAsync(TimeSpan.FromSeconds(60), Cancellation));
        }
    }

    [Fact]
    public async Task Well_formed_fields_of_every_odd_kind_arrive_as_they_are()
    {
        await using var upstream = new RawUpstream("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using var gateway = await StartAsync(upstream);

        Assert.Equal("200", await RawHttp2.GetAsync(gateway["ingress"], "/?a=%20&b", [("te", "trailers"), ("x-empty", ""), ("x-latin", "\u00e9\u00ff"), ("x", "a\tb"), ("cookie", "a=1"), ("cookie", "b=2"), ("x-twice", "1"), ("x-twice", "2")], Cancellation));

        var head = upstream.Requests.Single().Head;
        Assert.StartsWith("GET /?a=%20&b HTTP/1.1\r\n", head, StringComparison.Ordinal);
        Assert.Contains("x-latin: \u00e9\u00ff\r\n", head, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("x: a\tb\r\n", head, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("cookie: a=1; b=2\r\n", head, StringComparison.OrdinalIgnoreCase);
        Assert.Matches("(?i)x-twice: 1(, |\r\nx-twice: )2\r\n", head);
    }

    [Fact]
    public async Task A_field_section_over_the_limit_is_refused()
    {
        await using var upstream = new RawUpstream("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using var gateway = await StartAsync(upstream);

        var tooLarge = await RawHttp2.GetAsync(gateway["ingress"], "/", [("x", new string('v', 15_000)), ("y", new string('v', 15_000)), ("z", new string('v', 15_000))], Cancellation);
        var tooMany = await RawHttp2.GetAsync(gateway["ingress"], "/", [.. Enumerable.Range(0, 120).Select(i => ("x" + i, "1"))], Cancellation);

        Assert.True(tooLarge is "431" or "RST_STREAM" or "GOAWAY" or "closed", tooLarge);
        Assert.True(tooMany is "431" or "RST_STREAM" or "GOAWAY" or "closed", tooMany);
        Assert.Empty(upstream.Requests);
    }

    private static async Task RefusedAsync(IReadOnlyList<(string Name, string Value)> fields)
    {
        await using var upstream = new RawUpstream("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using var gateway = await StartAsync(upstream);
        using (var connection = await RawHttp2.ConnectAsync(gateway["ingress"], Cancellation))
        {
            await connection.SendHeadersAsync(1, fields);
            var answer = await connection.ReadAnswerAsync(1);
            Assert.True(answer.Status is "400" or "405" or "RST_STREAM" or "GOAWAY" or "closed", answer.ToString());
        }

        Assert.Empty(upstream.Requests);
        Assert.Equal("200", await RawHttp2.GetAsync(gateway["ingress"], "/alive", [], Cancellation));
        var records = await gateway.RecordsAsync(1, Cancellation);
        for (var count = 2; records.All(record => record.Path != "/alive"); count++)
        {
            records = await gateway.RecordsAsync(count, Cancellation);
        }

        // A refusal's exchange may end after the next one: its client has the answer before its record is made.
        Assert.All(records, record => Assert.Equal(record.Path == "/alive" ? Outcome.Forwarded : Outcome.Rejected, record.Outcome));
    }

    private static Task<TestGateway> StartAsync(RawUpstream upstream) => TestGateway.StartAsync($$"""
        listeners: { ingress: { address: 127.0.0.1:0 } }
        apis: [{ name: all, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }]
        """, Cancellation);
}
