using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Forwarding.Http1;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>Each phase of an exchange on our own client has its limit and its name.</summary>
public sealed class TimeoutTests : ForwardTest
{
    [Fact]
    public async Task Silence_before_the_head_is_response_headers_timeout()
    {
        await using var upstream = new ScriptedUpstream(connection => connection.WaitForEndAsync());

        var exchange = await ForwardAsync(upstream.Port, timeouts: Timeouts(headersMilliseconds: 50));

        Assert.Equal(("response_headers_timeout", 504, false), (exchange.Failure?.Code, exchange.Failure!.Status, exchange.Failure.Retryable));
        Assert.Equal(0, Pool.Open);
    }

    [Fact]
    public async Task A_head_that_drips_for_too_long_is_response_headers_timeout()
    {
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync("HTTP/1.1 200 OK\r\n");
            while (true)
            {
                await connection.WriteAsync("X: 1\r\n");
                await Task.Delay(20, connection.Stopping);
            }
        });

        var exchange = await ForwardAsync(upstream.Port, timeouts: Timeouts(headersMilliseconds: 200));

        Assert.Equal("response_headers_timeout", exchange.Failure?.Code);
        Assert.Equal(0, exchange.ResponseHeaders.Count);
    }

    [Fact]
    public async Task Silence_within_the_answer_is_idle_timeout()
    {
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
            await connection.WaitForEndAsync();
        });
        var exchange = await ForwardAsync(upstream.Port, timeouts: Timeouts(idleMilliseconds: 50));

        var broken = await Assert.ThrowsAsync<MessageBodyException>(() => ReadAsync(exchange));

        Assert.Equal("idle_timeout", broken.Failure.Code);
        await EventuallyAsync(() => Pool.Open == 0, "The connection was kept.");
    }

    [Fact]
    public async Task An_answer_without_length_that_falls_silent_does_not_end_well()
    {
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync("HTTP/1.1 200 OK\r\n\r\nhe");
            await connection.WaitForEndAsync();
        });
        var exchange = await ForwardAsync(upstream.Port, timeouts: Timeouts(idleMilliseconds: 50));

        var broken = await Assert.ThrowsAsync<MessageBodyException>(() => ReadAsync(exchange));

        Assert.Equal("idle_timeout", broken.Failure.Code);
    }

    [Fact]
    public async Task A_slow_reader_is_not_the_upstreams_silence()
    {
        await using var upstream = ScriptedUpstream.Answering("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + new string('a', 200_000));
        var exchange = await ForwardAsync(upstream.Port, timeouts: Timeouts(headersMilliseconds: 1_500, idleMilliseconds: 1_500));

        await Task.Delay(2_500, Cancellation);

        Assert.Equal(200_000, (await ReadAsync(exchange)).Length);
        Assert.Equal(1, Pool.Idle);
    }

    [Fact]
    public async Task Events_in_time_keep_an_answer_alive_and_a_total_ends_it()
    {
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            while (true)
            {
                await connection.WriteAsync("1\r\na\r\n");
                await Task.Delay(20, connection.Stopping);
            }
        });
        var exchange = await ForwardAsync(upstream.Port, timeouts: Timeouts(idleMilliseconds: 3_000, totalMilliseconds: 2_000));

        var broken = await Assert.ThrowsAsync<MessageBodyException>(() => ReadAsync(exchange));

        Assert.Equal("total_timeout", broken.Failure.Code);
    }

    [Fact]
    public async Task The_total_counts_before_the_head_too()
    {
        await using var upstream = new ScriptedUpstream(connection => connection.WaitForEndAsync());

        var exchange = await ForwardAsync(upstream.Port, timeouts: Timeouts(totalMilliseconds: 100));

        Assert.Equal("total_timeout", exchange.Failure?.Code);
    }

    [Fact]
    public async Task Content_that_nobody_takes_is_idle_timeout()
    {
        // The upstream never reads: the kernel's buffers fill.
        await using var upstream = new ScriptedUpstream(connection => Task.Delay(-1, connection.Stopping));
        var exchange = NewExchange(upstream.Port, method: "POST");
        exchange.RequestBody = TestBody.Of(new string('a', 20_000_000));

        await ForwardAsync(exchange, Upstream(Timeouts(idleMilliseconds: 200)));

        Assert.Equal("idle_timeout", exchange.Failure?.Code);
    }

    [Fact]
    public async Task The_heads_limit_counts_from_the_end_of_the_content()
    {
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        });
        var exchange = NewExchange(upstream.Port, method: "POST");
        var content = new TestBody(null);
        exchange.RequestBody = content;
        var forwarding = ForwardAsync(exchange, Upstream(Timeouts(headersMilliseconds: 1_500)));

        await Task.Delay(2_500, Cancellation);
        content.Add("abc");
        content.End();
        await forwarding;

        Assert.Equal(200, exchange.ResponseStatus);
        await exchange.ResponseBody.DisposeAsync();
    }

    [Fact]
    public async Task A_timeout_is_not_repeated_on_a_kept_connection()
    {
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            await connection.WaitForEndAsync();
        });
        await ReadAsync(await ForwardAsync(upstream.Port));

        var exchange = await ForwardAsync(upstream.Port, timeouts: Timeouts(headersMilliseconds: 50));

        Assert.Equal(("response_headers_timeout", 1, 1), (exchange.Failure?.Code, exchange.Attempts, upstream.Accepted));
    }

    private PoolStatistics Pool => Assert.Single(Forwarder.PoolStatistics);
}
