using Tidegate.Exchanges;
using Tidegate.Forwarding.Http1;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>How our own client reads answers: what is accepted, what is refused, and whether the connection is used again.</summary>
public sealed class ResponseTranscriptTests : ForwardTest
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    [Theory]
    [InlineData(199, 10, null)]
    [InlineData(200, 10, "response_malformed")]
    [InlineData(1, 65_000, null)]
    [InlineData(1, 66_000, "response_malformed")]
    public async Task A_head_has_at_most_200_fields_and_64_KiB(int fields, int valueLength, string? code)
    {
        var head = string.Concat(Enumerable.Range(0, fields).Select(i => $"X-{i}: {new string('v', valueLength)}\r\n"));
        await using var upstream = ScriptedUpstream.Answering($"HTTP/1.1 200 OK\r\n{head}Content-Length: 2\r\n\r\nok");

        var exchange = await ForwardAsync(upstream.Port);

        Assert.Equal(code, exchange.Failure?.Code);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 5\r\n\r\nhello")]
    [InlineData("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n\r\n")]
    public async Task A_connection_that_is_to_close_or_says_more_is_not_used_again(string answer)
    {
        await using var upstream = ScriptedUpstream.Answering(answer);

        for (var i = 1; i <= 3; i++)
        {
            var exchange = await ForwardAsync(upstream.Port);
            Assert.Equal("hello", await ReadAsync(exchange));
            Assert.Equal(i, upstream.Accepted);
        }

        await NothingIsOpenAsync();
    }

    [Theory]
    [InlineData("GET", "HTTP/1.1 204 No Content\r\n\r\n", null)]
    [InlineData("GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", null)]
    [InlineData("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\nETag: \"a\"\r\n\r\n", 100L)]
    [InlineData("GET", "HTTP/1.1 304 Not Modified\r\n\r\n", null)]
    [InlineData("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", 100L)]
    [InlineData("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", null)]
    [InlineData("HEAD", "HTTP/1.1 200 OK\r\n\r\n", null)]
    [InlineData("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0L)]
    public async Task What_has_no_content_ends_with_its_head(string method, string answer, long? announced)
    {
        await using var upstream = ScriptedUpstream.Answering(answer);

        for (var i = 0; i < 2; i++)
        {
            var exchange = await ForwardAsync(upstream.Port, method);
            Assert.Equal((announced, ""), (exchange.ResponseBody.Length, await ReadAsync(exchange)));
        }

        Assert.Equal(1, upstream.Accepted);
    }

    [Theory]
    [InlineData("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n")]
    [InlineData("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n")]
    public async Task A_204_that_announces_content_is_the_last_on_its_connection(string answer)
    {
        await using var upstream = ScriptedUpstream.Answering(answer);

        var exchange = await ForwardAsync(upstream.Port);

        Assert.Equal((204, ""), (exchange.ResponseStatus, await ReadAsync(exchange)));
        await NothingIsOpenAsync();
    }

    [Fact]
    public async Task Trailers_are_fields_and_framing_among_them_is_dropped()
    {
        await using var upstream = ScriptedUpstream.Answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nGrpc-Status: 0\r\nContent-Length: 7\r\nTransfer-Encoding: gzip\r\nConnection: close\r\nX:\r\n\r\n");

        var exchange = await ForwardAsync(upstream.Port);

        Assert.Null(exchange.ResponseBody.Trailers);
        Assert.Equal("hi", await ReadAsync(exchange));
        var trailers = exchange.ResponseBody.Trailers!;
        Assert.Equal((2, "0", ""), (trailers.Count, trailers.Get("grpc-status"), trailers.Get("X")));
    }

    [Fact]
    public async Task Fields_keep_order_case_and_duplicates_and_those_of_the_connection_go()
    {
        await using var upstream = ScriptedUpstream.Answering("HTTP/1.1 200 OK\r\nX-First: 1\r\nsEt-CooKie: a=1\r\nKeep-Alive: 5\r\nset-cookie: b=2\r\nX-Named: 1\r\nConnection: keep-alive, x-named\r\nX-NAMED: 2\r\nUpgrade: h2c\r\nProxy-Connection: close\r\nX-Last: ÿ \r\nContent-Length: 0\r\n\r\n");

        var exchange = await ForwardAsync(upstream.Port);

        var fields = new List<string>();
        for (var i = 0; i < exchange.ResponseHeaders.Count; i++)
        {
            fields.Add(System.Text.Encoding.Latin1.GetString(exchange.ResponseHeaders[i].Name) + "=" + System.Text.Encoding.Latin1.GetString(exchange.ResponseHeaders[i].Value));
        }

        Assert.Equal(["X-First=1", "sEt-CooKie=a=1", "set-cookie=b=2", "X-Last=ÿ"], fields);
        Assert.Equal(1, Pool.Idle);
    }

    [Fact]
    public async Task Interim_answers_go_on_to_the_client_and_a_100_does_not()
    {
        await using var upstream = ScriptedUpstream.Answering("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nConnection: x\r\nX: 1\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + Ok);

        for (var i = 0; i < 2; i++)
        {
            Client.Interims.Clear();
            var exchange = await ForwardAsync(upstream.Port);

            Assert.Equal("ok", await ReadAsync(exchange));
            Assert.Equal(["103 Link=</a>; rel=preload", "102"], Client.Interims);
            Assert.Null(exchange.ResponseHeaders.Get(KnownHeader.Link));
        }

        Assert.Equal(1, upstream.Accepted);
    }

    [Theory]
    [InlineData(16, null)]
    [InlineData(17, "response_malformed")]
    public async Task Sixteen_interim_answers_are_enough(int count, string? code)
    {
        await using var upstream = ScriptedUpstream.Answering(string.Concat(Enumerable.Repeat("HTTP/1.1 102 Processing\r\n\r\n", count)) + Ok);

        var exchange = await ForwardAsync(upstream.Port);

        Assert.Equal(code, exchange.Failure?.Code);
    }

    private PoolStatistics Pool => Assert.Single(Forwarder.PoolStatistics);

    private Task NothingIsOpenAsync() => EventuallyAsync(() => Pool is { Open: 0, Idle: 0 }, "A connection was kept.");
}
