using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Forwarding.Connecting;
using Tidegate.Forwarding.Http1;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>Connections that are kept: which are used again, which are not, and what happens when one ends at the wrong moment.</summary>
public sealed class ConnectionReuseTests : ForwardTest
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")]
    public async Task An_idle_connection_that_ends_or_speaks_is_discarded(string unasked)
    {
        using var end = new SemaphoreSlim(0);
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync(Ok);
            if (connection.Index == 0)
            {
                await end.WaitAsync(connection.Stopping);
                await connection.WriteAsync(unasked);
                if (unasked.Length > 0)
                {
                    await connection.WaitForEndAsync();
                }
            }
        });
        Assert.Equal("ok", await ReadAsync(await ForwardAsync(upstream.Port)));
        Assert.Equal(1, Pool.Idle);

        end.Release();

        await EventuallyAsync(() => Pool is { Open: 0, Idle: 0, Discarded: 1 }, "The connection was kept.");
        var next = await ForwardAsync(upstream.Port, "POST");
        Assert.Equal(("ok", 200, 1), (await ReadAsync(next), next.ResponseStatus, next.Attempts));
    }

    [Theory]
    [InlineData("GET", false)]
    [InlineData("HEAD", false)]
    [InlineData("PUT", false)]
    [InlineData("DELETE", true)]
    [InlineData("OPTIONS", true)]
    public async Task A_repeatable_request_is_repeated_once_when_a_kept_connection_dies_before_it_answers(string method, bool isReset)
    {
        await using var upstream = DyingOnSecondRequest(isReset);
        await ReadAsync(await ForwardAsync(upstream.Port));

        var exchange = await ForwardAsync(upstream.Port, method);

        Assert.Equal((Outcome.Forwarded, 200), (exchange.Outcome, exchange.ResponseStatus));
        Assert.Equal((2, 2), (exchange.Attempts, upstream.Accepted));
        Assert.True(exchange is { WasSentBefore: true, WasSent: true }, "It may have come twice.");
        await ReadAsync(exchange);
    }

    [Fact]
    public async Task What_was_sent_on_a_kept_connection_that_died_was_sent_though_its_repetition_finds_nobody()
    {
        var stop = () => { };
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync(Ok);
            await connection.ReadRequestAsync();
            stop();
        });
        stop = upstream.StopListening;
        var port = upstream.Port;
        await ReadAsync(await ForwardAsync(port));

        var exchange = await ForwardAsync(port);

        Assert.Equal(("connect_failed", 2), (exchange.Failure?.Code, exchange.Attempts));
        Assert.True(exchange is { WasSentBefore: true, WasSent: false }, "It was sent before, and not again.");
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PATCH")]
    [InlineData("PROPFIND")]
    public async Task Other_requests_are_not_repeated(string method)
    {
        await using var upstream = DyingOnSecondRequest(isReset: false);
        await ReadAsync(await ForwardAsync(upstream.Port));

        var exchange = await ForwardAsync(upstream.Port, method);

        Assert.Equal(("request_failed", false, 1, 1), (exchange.Failure?.Code, exchange.Failure!.Retryable, exchange.Attempts, upstream.Accepted));
    }

    [Fact]
    public async Task A_request_with_content_is_not_repeated()
    {
        await using var upstream = DyingOnSecondRequest(isReset: false);
        await ReadAsync(await ForwardAsync(upstream.Port));
        var exchange = NewExchange(upstream.Port, method: "PUT");
        exchange.RequestBody = TestBody.Of("hello");

        await ForwardAsync(exchange, Upstream());

        Assert.Equal(("request_failed", 1), (exchange.Failure?.Code, exchange.Attempts));
    }

    [Fact]
    public async Task A_new_connection_that_dies_is_a_failure_and_no_reason_to_try_again()
    {
        await using var upstream = new ScriptedUpstream(connection => connection.ReadRequestAsync());

        var exchange = await ForwardAsync(upstream.Port);

        Assert.Equal(("request_failed", 1, 1), (exchange.Failure?.Code, exchange.Attempts, upstream.Accepted));
    }

    [Fact]
    public async Task An_answer_that_has_begun_is_not_asked_for_again()
    {
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync(Ok);
            await connection.ReadRequestAsync();
            await connection.WriteAsync("HTTP/1.1 200 ");
        });
        await ReadAsync(await ForwardAsync(upstream.Port));

        var exchange = await ForwardAsync(upstream.Port);

        Assert.Equal(("request_failed", 1), (exchange.Failure?.Code, exchange.Attempts));
    }

    [Fact]
    public async Task The_connection_that_was_used_last_is_used_next()
    {
        var served = new List<int>();
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is not null)
            {
                lock (served)
                {
                    served.Add(connection.Index);
                }

                await connection.WriteAsync(Ok);
            }
        });
        var first = await ForwardAsync(upstream.Port);
        var second = await ForwardAsync(upstream.Port);
        Assert.Equal(2, Pool.Open);
        await ReadAsync(second);
        await ReadAsync(first);

        await ReadAsync(await ForwardAsync(upstream.Port));
        await ReadAsync(await ForwardAsync(upstream.Port));

        Assert.Equal([0, 1, 0, 0], served);
    }

    [Fact]
    public async Task An_answer_that_nobody_reads_to_its_end_takes_its_connection_with_it()
    {
        await using var upstream = ScriptedUpstream.Answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        var exchange = await ForwardAsync(upstream.Port);
        Assert.Equal(1, await exchange.ResponseBody.ReadAsync(new byte[1], Cancellation));

        await exchange.ResponseBody.DisposeAsync();
        await exchange.ResponseBody.DisposeAsync();

        await EventuallyAsync(() => Pool is { Open: 0, Idle: 0 }, "The connection was kept.");
    }

    [Fact]
    public async Task The_connection_is_free_as_soon_as_the_last_byte_was_read()
    {
        await using var upstream = ScriptedUpstream.Answering(Ok);
        var exchange = await ForwardAsync(upstream.Port);
        Assert.Equal(0, Pool.Idle);

        Assert.Equal(2, await exchange.ResponseBody.ReadAsync(new byte[2], Cancellation));

        Assert.Equal(1, Pool.Idle);
        await ReadAsync(await ForwardAsync(upstream.Port));
        Assert.Equal((0, 2L), (await exchange.ResponseBody.ReadAsync(new byte[2], Cancellation), exchange.ResponseBody.Length));
        await exchange.ResponseBody.DisposeAsync();
        Assert.Equal((1, 1), (Pool.Open, upstream.Accepted));
    }

    [Fact]
    public async Task An_idle_connection_is_closed_in_good_order()
    {
        var end = new TaskCompletionSource<string>();
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync(Ok);
            try
            {
                end.SetResult(await connection.ReadHeadAsync() ?? "an orderly end");
            }
            catch (System.Net.Sockets.SocketException reset)
            {
                end.SetResult(reset.Message);
            }
        });
        await ReadAsync(await ForwardAsync(upstream.Port));

        await Forwarder.DisposeAsync();

        Assert.Equal("an orderly end", await end.Task.WaitAsync(TimeSpan.FromSeconds(30), Cancellation));
    }

    [Fact]
    public async Task Other_TLS_settings_or_another_bound_never_share_a_connection()
    {
        await using var upstream = ScriptedUpstream.Answering(Ok);
        await ReadAsync(await ForwardAsync(upstream.Port));
        var exchange = NewExchange(upstream.Port);

        await ForwardAsync(exchange, Upstream(maxConnections: 3));
        await ReadAsync(exchange);

        Assert.Equal((2, 2), (upstream.Accepted, Forwarder.PoolStatistics.Count));
    }

    [Fact]
    public async Task Partitions_do_not_share_connections()
    {
        var partition = 0;
        await using var forwarder = new Forwarder(TimeProvider.System, new ForwarderOptions { Source = new ConnectionSource(new SocketConnectionFactory(), 2, () => partition) });
        await using var upstream = ScriptedUpstream.Answering(Ok);
        foreach (var (current, accepted) in new[] { (0, 1), (1, 2), (0, 2), (1, 2) })
        {
            partition = current;
            var exchange = NewExchange(upstream.Port);
            await forwarder.ForwardAsync(exchange, Upstream());
            await ReadAsync(exchange);
            Assert.Equal(accepted, upstream.Accepted);
        }

        Assert.Equal(2, Assert.Single(forwarder.PoolStatistics).Idle);
    }

    private static ScriptedUpstream DyingOnSecondRequest(bool isReset) => new(async connection =>
    {
        while (await connection.ReadRequestAsync() is { } request)
        {
            await connection.WriteAsync(request.StartsWith("HEAD", StringComparison.Ordinal) ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" : Ok);
            if (connection.Index == 0)
            {
                await connection.ReadRequestAsync();
                if (isReset)
                {
                    connection.Reset();
                }

                return;
            }
        }
    });

    private PoolStatistics Pool => Assert.Single(Forwarder.PoolStatistics);
}
