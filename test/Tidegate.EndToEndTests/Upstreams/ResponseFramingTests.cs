using Tidegate.Exchanges;
using Tidegate.Forwarding.Http1;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>Where answers begin and end: what leaves doubt is refused, what is cut short never looks complete. With either client; what the framework's takes all the same stands here by name.</summary>
public sealed class ResponseFramingTests : ForwardTest
{
    private static readonly string[] HeadsThatTheFrameworkTakes =
    [
        "a length beyond all numbers", "a bare LF after the status line", "a bare LF after a field", "a bare LF as the empty line", "a bare CR in a value", "a NUL in a value", "a folded field",
        "a space before the colon", "a minor version that does not exist", "a status above 599", "a status below 100", "a control in the reason",
    ];

    private static readonly string[] ChunksThatTheFrameworkTakes = ["one LF too few", "a space after the size", "a control in an extension", "a folded trailer"];

    [Theory]
    [InlineData("a Content-Length beside a coding", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")]
    [InlineData("two lengths that differ", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")]
    [InlineData("two lengths that agree", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc")]
    [InlineData("a list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc")]
    [InlineData("a signed length", "HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc")]
    [InlineData("a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -0\r\n\r\n")]
    [InlineData("a hexadecimal length", "HTTP/1.1 200 OK\r\nContent-Length: 0x3\r\n\r\nabc")]
    [InlineData("an empty length", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n")]
    [InlineData("a length beyond all numbers", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n")]
    [InlineData("another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n")]
    [InlineData("a coding before chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("chunked twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("an identity coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n")]
    [InlineData("chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("a bare LF after the status line", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n")]
    [InlineData("a bare LF after a field", "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n")]
    [InlineData("a bare LF as the empty line", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n")]
    [InlineData("a bare CR in a value", "HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("a NUL in a value", "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("a folded field", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("a space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n")]
    [InlineData("a field without a colon", "HTTP/1.1 200 OK\r\nContent-Length\r\n\r\n")]
    [InlineData("a field without a name", "HTTP/1.1 200 OK\r\n: x\r\n\r\n")]
    [InlineData("a name that is no token", "HTTP/1.1 200 OK\r\nX(Y): x\r\n\r\n")]
    [InlineData("an empty line before the status line", "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/2 in the status line", "HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("a minor version that does not exist", "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("a lower-case protocol", "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("a status of two digits", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("a status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("a status above 599", "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("a status below 100", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("a status with a letter", "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("two spaces before the status", "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("a control in the reason", "HTTP/1.1 200 O\aK\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("a switch that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")]
    [InlineData("another protocol altogether", "SSH-2.0-OpenSSH_9.2\r\n")]
    public async Task A_head_that_leaves_doubt_is_refused(string what, string answer)
    {
        await using var upstream = ScriptedUpstream.Answering(answer);

        var exchange = await ForwardAsync(upstream.Port);

        if (!HasOwnClient && HeadsThatTheFrameworkTakes.Contains(what))
        {
            Assert.True(exchange.Outcome == Outcome.Forwarded, what);
            await exchange.ResponseBody.DisposeAsync();
            return;
        }

        Assert.True(exchange.Failure?.Code == "response_malformed", what);
        Assert.Equal((Outcome.Failed, 0, false), (exchange.Outcome, exchange.ResponseHeaders.Count, exchange.Failure!.Retryable));
        await NothingIsOpenAsync();
    }

    [Theory]
    [InlineData("one LF too few", "5\nhello\r\n0\r\n\r\n")]
    [InlineData("no line end after the data", "5\r\nhello0\r\n\r\n")]
    [InlineData("more data than announced", "5\r\nhello!\r\n0\r\n\r\n")]
    [InlineData("no number", "five\r\nhello\r\n0\r\n\r\n")]
    [InlineData("a sign", "+5\r\nhello\r\n0\r\n\r\n")]
    [InlineData("a prefix", "0x5\r\nhello\r\n0\r\n\r\n")]
    [InlineData("a space after the size", "5 \r\nhello\r\n0\r\n\r\n")]
    [InlineData("a space before the size", " 5\r\nhello\r\n0\r\n\r\n")]
    [InlineData("a size beyond all numbers", "fffffffffffffffff\r\nhello\r\n0\r\n\r\n")]
    [InlineData("a control in an extension", "5;a=\u0001\r\nhello\r\n0\r\n\r\n")]
    [InlineData("a trailer that is no field", "5\r\nhello\r\n0\r\nno field\r\n\r\n")]
    [InlineData("a folded trailer", "5\r\nhello\r\n0\r\nX: 1\r\n 2\r\n\r\n")]
    public async Task Chunks_that_leave_doubt_break_the_answer(string what, string content)
    {
        await using var upstream = ScriptedUpstream.Answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + content);
        var exchange = await ForwardAsync(upstream.Port);

        if (!HasOwnClient && ChunksThatTheFrameworkTakes.Contains(what))
        {
            Assert.Equal("hello", await ReadAsync(exchange));
            return;
        }

        var broken = await Assert.ThrowsAsync<MessageBodyException>(() => ReadAsync(exchange));

        // The framework does not tell what is malformed from what is cut short.
        Assert.True(broken.Failure.Code == (HasOwnClient ? "response_malformed" : "response_truncated"), what);
        await NothingIsOpenAsync();
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: \t 5 \t\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 000000000000000005\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 Ganz für uns\r\nContent-Length: 5\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b;c=\"d\"\r\nhe\r\n0003\r\nllo\r\n000;x\r\nIgnored: no\r\n\r\n")]
    [InlineData("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello")]
    public async Task A_complete_answer_leaves_the_connection_for_the_next(string answer)
    {
        await using var upstream = ScriptedUpstream.Answering(answer);

        for (var i = 0; i < 3; i++)
        {
            var exchange = await ForwardAsync(upstream.Port);
            Assert.Equal((Outcome.Forwarded, 200, "hello"), (exchange.Outcome, exchange.ResponseStatus, await ReadAsync(exchange)));
        }

        Assert.Equal(1, upstream.Accepted);
        if (HasOwnClient)
        {
            Assert.Equal((1, 1), (Pool.Open, Pool.Idle));
        }
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\n\r\nuntil the end")]
    [InlineData("HTTP/1.0 200 OK\r\n\r\nuntil the end")]
    [InlineData("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nuntil the end")]
    public async Task Without_a_length_content_ends_with_the_connection(string answer)
    {
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync(answer);
        });

        var exchange = await ForwardAsync(upstream.Port);

        Assert.Null(exchange.ResponseBody.Length);
        Assert.Equal("until the end", await ReadAsync(exchange));
        await NothingIsOpenAsync();
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\n\r\nuntil a reset", true)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", false)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", true)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", false)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n", false)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nX: 1\r\n", false)]
    public async Task What_is_cut_short_never_looks_complete(string answer, bool isReset)
    {
        var isRead = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync(answer);
            if (isReset)
            {
                // After the bytes have been read, or the reset could overtake them.
                await isRead.Task;
                connection.Reset();
            }
        });
        var exchange = await ForwardAsync(upstream.Port);
        Assert.NotEqual(0, await exchange.ResponseBody.ReadAsync(new byte[100], Cancellation));
        isRead.SetResult();

        var broken = await Assert.ThrowsAsync<MessageBodyException>(() => ReadAsync(exchange));

        Assert.Equal("response_truncated", broken.Failure.Code);
        await NothingIsOpenAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Le")]
    [InlineData("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n")]
    public async Task An_upstream_that_hangs_up_within_its_head_is_request_failed(string answer)
    {
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync(answer);
        });

        var exchange = await ForwardAsync(upstream.Port);

        Assert.Equal(("request_failed", 1), (exchange.Failure?.Code, exchange.Attempts));
        Assert.Equal(0, exchange.ResponseHeaders.Count);
        await NothingIsOpenAsync();
    }

    [Fact]
    public async Task Content_of_any_size_arrives_whole_through_buffers_of_any_size()
    {
        var content = string.Concat(Enumerable.Range(0, 60_000).Select(i => $"{i:x5},"));
        var chunked = string.Concat(content.Chunk(7_919).Select(piece => $"{piece.Length:x}\r\n{new string(piece)}\r\n")) + "0\r\n\r\n";
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is { } request)
            {
                await connection.WriteAsync(request.StartsWith("POST", StringComparison.Ordinal)
                    ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked
                    : $"HTTP/1.1 200 OK\r\nContent-Length: {content.Length}\r\n\r\n{content}");
            }
        });

        foreach (var pieceBytes in new[] { 1, 100, 4_096, 100_000 })
        {
            Assert.Equal(content, await ReadAsync(await ForwardAsync(upstream.Port), pieceBytes));
            Assert.Equal(content, await ReadAsync(await ForwardAsync(upstream.Port, "POST"), pieceBytes));
        }

        Assert.Equal(1, upstream.Accepted);
    }

    private PoolStatistics Pool => Assert.Single(Forwarder.PoolStatistics);

    // The framework keeps its connections to itself.
    private Task NothingIsOpenAsync() => HasOwnClient ? EventuallyAsync(() => Pool is { Open: 0, Idle: 0 }, "A connection was kept.") : Task.CompletedTask;
}
