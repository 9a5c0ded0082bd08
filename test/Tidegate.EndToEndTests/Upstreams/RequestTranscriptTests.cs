using System.Text;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>The bytes that our own client sends.</summary>
public sealed class RequestTranscriptTests : ForwardTest
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

    [Fact]
    public async Task Fields_go_out_as_they_came_behind_Host_and_without_those_of_the_connection()
    {
        var request = await SendAsync(exchange =>
        {
            var fields = exchange.RequestHeaders;
            fields.Add("X-First", "1");
            fields.Add("Host", "somebody.else");
            fields.Add("aCCept", "*/*");
            fields.Add("Connection", "close");
            fields.Add("Keep-Alive", "5");
            fields.Add("Proxy-Connection", "keep-alive");
            fields.Add("Transfer-Encoding", "chunked");
            fields.Add("Upgrade", "h2c");
            fields.Add("HTTP2-Settings", "x");
            fields.Add("Expect", "100-continue");
            fields.Add("TE", "gzip");
            fields.Add("accept", "ÿ");
            fields.Add("X-Empty", "");
        });

        Assert.Equal($"GET /a%20b?c=%20d HTTP/1.1\r\nHost: 127.0.0.1:{_port}\r\nX-First: 1\r\naCCept: */*\r\naccept: ÿ\r\nX-Empty: \r\n\r\n", request);
    }

    [Theory]
    [InlineData("GET", null, "")]
    [InlineData("GET", "0", "Content-Length: 0\r\n")]
    [InlineData("DELETE", null, "")]
    [InlineData("POST", null, "Content-Length: 0\r\n")]
    [InlineData("PUT", null, "Content-Length: 0\r\n")]
    [InlineData("PATCH", null, "Content-Length: 0\r\n")]
    public async Task Without_content_a_length_is_said_where_content_would_mean_something(string method, string? length, string framing)
    {
        var request = await SendAsync(exchange =>
        {
            exchange.Method = method;
            if (length is not null)
            {
                exchange.RequestHeaders.Add("Content-Length", length);
            }
        });

        Assert.Equal($"{method} /a%20b?c=%20d HTTP/1.1\r\nHost: 127.0.0.1:{_port}\r\n{framing}\r\n", request);
    }

    [Fact]
    public async Task Content_with_a_length_leaves_with_the_head()
    {
        var request = await SendAsync(exchange =>
        {
            exchange.Method = "POST";
            exchange.RequestHeaders.Add("Content-Length", "5");
            exchange.RequestBody = TestBody.Of("hello");
        });

        Assert.Equal($"POST /a%20b?c=%20d HTTP/1.1\r\nHost: 127.0.0.1:{_port}\r\nContent-Length: 5\r\n\r\nhello", request);
    }

    [Fact]
    public async Task Content_without_a_length_is_chunked_and_trailers_follow()
    {
        var request = await SendAsync(exchange =>
        {
            exchange.Method = "POST";
            var body = TestBody.Of("hello", isChunked: true);
            body.LateTrailers = new HeaderList();
            body.LateTrailers.Add("X-Checksum", "42");
            body.LateTrailers.Add("Content-Length", "7");
            body.LateTrailers.Add("Host", "evil.test");
            body.LateTrailers.Add("X-Split", "a\r\nb: c");
            exchange.RequestBody = body;
        });

        Assert.Equal($"POST /a%20b?c=%20d HTTP/1.1\r\nHost: 127.0.0.1:{_port}\r\nTransfer-Encoding: chunked\r\n\r\n0005\r\nhello\r\n0\r\nX-Checksum: 42\r\n\r\n", request);
    }

    [Fact]
    public async Task TE_trailers_survives_and_is_named_in_Connection()
    {
        var request = await SendAsync(exchange => exchange.RequestHeaders.Add("TE", "trailers"));

        Assert.EndsWith("TE: trailers\r\nConnection: TE\r\n\r\n", request, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_upgrade_is_asked_for()
    {
        var request = await SendAsync(exchange =>
        {
            exchange.UpgradeProtocol = "websocket";
            exchange.RequestHeaders.Add("Sec-WebSocket-Key", "x");
        });

        Assert.EndsWith("Sec-WebSocket-Key: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", request, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Host_is_the_clients_or_the_destinations(bool rewrite)
    {
        string? request = null;
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            request = await connection.ReadRequestAsync();
            await connection.WriteAsync(Ok);
        });
        var exchange = NewExchange(80, host: "api.example.com");

        await ForwardAsync(exchange, new Upstream
        {
            Name = "test",
            Destinations = [new Destination("http", "127.0.0.1", upstream.Port)],
            Timeouts = UpstreamTimeouts.Default,
            RewriteHost = rewrite,
        });

        Assert.Equal(Outcome.Forwarded, exchange.Outcome);
        Assert.Contains(rewrite ? $"\r\nHost: 127.0.0.1:{upstream.Port}\r\n" : "\r\nHost: api.example.com\r\n", request, StringComparison.Ordinal);
        Assert.Equal($"http://127.0.0.1:{upstream.Port}", exchange.Destination);
    }

    [Theory]
    [InlineData("X", "a\r\nInjected: 1")]
    [InlineData("X", "a\nInjected: 1")]
    [InlineData("X", "a\rb")]
    [InlineData("X\r\nInjected", "1")]
    public async Task A_field_that_would_break_its_line_is_never_sent(string name, string value)
    {
        await using var upstream = ScriptedUpstream.Answering(Ok);
        var first = await ForwardAsync(upstream.Port);
        Assert.Equal("", await ReadAsync(first));
        var exchange = NewExchange(upstream.Port);
        exchange.RequestHeaders.Add(name, value);

        await ForwardAsync(exchange, Upstream());

        Assert.Equal(("gateway_error", FailureSource.Gateway), (exchange.Failure?.Code, exchange.Failure!.Source));

        // The connection was not touched: the next exchange uses it.
        Assert.Equal(Outcome.Forwarded, (await ForwardAsync(upstream.Port)).Outcome);
        Assert.Equal(1, upstream.Accepted);
    }

    [Fact]
    public async Task A_line_break_in_a_field_that_was_replaced_does_no_harm()
    {
        var request = await SendAsync(exchange =>
        {
            exchange.RequestHeaders.Add("X", "a\r\nb");
            exchange.RequestHeaders.Set("X", "good");
        });

        Assert.Contains("\r\nX: good\r\n", request, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(20_000)]
    [InlineData(1_000_000)]
    public async Task Content_of_any_size_arrives_whole(int length)
    {
        var content = new string('a', length / 2) + new string('b', length - (length / 2));
        foreach (var isChunked in new[] { false, true })
        {
            var request = await SendAsync(exchange =>
            {
                exchange.Method = "PUT";
                exchange.RequestBody = TestBody.Of(content, isChunked);
            });

            var received = request[(request.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
            Assert.Equal(content, isChunked ? Unchunk(received) : received);
        }
    }

    private static string Unchunk(string content)
    {
        var text = new StringBuilder();
        for (var at = 0; ;)
        {
            var line = content.IndexOf("\r\n", at, StringComparison.Ordinal);
            var size = Convert.ToInt32(content[at..line], 16);
            if (size == 0)
            {
                return text.ToString();
            }

            text.Append(content, line + 2, size);
            at = line + 2 + size + 2;
        }
    }

    private int _port;

    /// <summary>Sends one exchange and gives what arrived of its request.</summary>
    private async Task<string> SendAsync(Action<Exchange> prepare)
    {
        string? request = null;
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            request = await connection.ReadRequestAsync();
            await connection.WriteAsync(request!.Contains("Upgrade: websocket", StringComparison.Ordinal) ? "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n" : Ok);
        });
        _port = upstream.Port;
        var exchange = NewExchange(upstream.Port, "/a%20b?c=%20d");
        prepare(exchange);
        var length = exchange.RequestBody.Length;

        await ForwardAsync(exchange, Upstream());

        Assert.True(exchange.Outcome == Outcome.Forwarded, exchange.Failure?.Detail);
        Assert.Equal(length ?? exchange.RequestBodyBytes, exchange.RequestBodyBytes);
        await ReadAsync(exchange);
        return request!;
    }
}
