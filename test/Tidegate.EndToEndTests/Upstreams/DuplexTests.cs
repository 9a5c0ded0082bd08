using Microsoft.AspNetCore.Server.Kestrel.Core;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Forwarding.Http1;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>Content that flows while the answer does, and upstreams that answer before they have heard everything.</summary>
public sealed class DuplexTests : ForwardTest
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Each_piece_leaves_as_it_comes_and_each_answer_to_it_arrives(bool isChunked)
    {
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            // Says its head before any content was there, then gives back what comes.
            await connection.ReadHeadAsync();
            await connection.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
            var buffer = new byte[100];
            var text = "";
            while (!text.EndsWith(isChunked ? "0\r\n\r\n" : "xyz", StringComparison.Ordinal))
            {
                var read = await connection.Socket.ReceiveAsync(buffer.AsMemory(), connection.Stopping);
                var piece = System.Text.Encoding.Latin1.GetString(buffer, 0, read);
                text += piece;
                await connection.WriteAsync(string.Concat(piece.Where(char.IsLetter)));
            }

            await connection.WaitForEndAsync();
        });
        var exchange = NewExchange(upstream.Port, method: "POST");
        var content = new TestBody(isChunked ? null : 6);
        exchange.RequestBody = content;

        await ForwardAsync(exchange, Upstream());

        var buffer = new byte[100];
        foreach (var piece in new[] { "abc", "xyz" })
        {
            content.Add(piece);
            var received = "";
            while (received.Length < 3)
            {
                received += System.Text.Encoding.Latin1.GetString(buffer, 0, await exchange.ResponseBody.ReadAsync(buffer, Cancellation));
            }

            Assert.Equal(piece, received);
            if (piece == "abc")
            {
                continue;
            }

            content.End();
        }

        await EventuallyAsync(() => !content.IsBeingRead, "The content is still being read.");
        Assert.Equal(0, await exchange.ResponseBody.ReadAsync(buffer, Cancellation));
        await exchange.ResponseBody.DisposeAsync();
        Assert.Equal(6, exchange.RequestBodyBytes);
    }

    [Theory]
    [InlineData(UpstreamProtocol.Http1)]
    [InlineData(UpstreamProtocol.Http2)]
    public async Task When_the_last_of_slow_content_was_sent_is_known(UpstreamProtocol protocol)
    {
        await using var upstream = await EchoUpstream.StartAsync(protocols: protocol == UpstreamProtocol.Http2 ? HttpProtocols.Http2 : HttpProtocols.Http1);
        var exchange = NewExchange(upstream.Port, "/echo", method: "POST");
        var content = new TestBody(6);
        exchange.RequestBody = content;
        var running = ForwardAsync(exchange, Upstream() with { Protocol = protocol });
        content.Add("abc");

        // Said once the rest is being waited for.
        await EventuallyAsync(() => Volatile.Read(ref exchange.Timings.ContentSent) == ExchangeTimings.NotYet, "The rest is not waited for.");
        await EventuallyAsync(() => exchange.RequestBodyBytes == 3 && content.IsBeingRead, "The first piece was not sent.");

        var before = TimeProvider.System.GetTimestamp();
        content.Add("xyz");
        content.End();
        await running;
        Assert.Equal("abcxyz", await ReadAsync(exchange));

        // The upstream may answer before whoever sent looks at the clock.
        await EventuallyAsync(() => Volatile.Read(ref exchange.Timings.ContentSent) != ExchangeTimings.NotYet, "The content was not sent.");
        Assert.InRange(exchange.Timings.ContentSent, before, TimeProvider.System.GetTimestamp());

        var next = NewExchange(upstream.Port);
        next.Timings.ContentSent = 1;
        await ForwardAsync(next, Upstream() with { Protocol = protocol });
        await ReadAsync(next);
        Assert.Equal(0, next.Timings.ContentSent);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_early_answer_arrives_whether_its_upstream_goes_on_reading_or_closes(bool closes)
    {
        var answer = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large";
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.WriteAsync(answer);
            if (closes)
            {
                // With content unread, so that the close is a reset.
                return;
            }

            await connection.WaitForEndAsync();
        });
        var exchange = NewExchange(upstream.Port, method: "POST");
        var content = new TestBody(null);
        content.Add(new string('a', 300_000));
        exchange.RequestBody = content;

        await ForwardAsync(exchange, Upstream());

        Assert.Equal((413, "too large"), (exchange.ResponseStatus, await ReadAsync(exchange)));
        Assert.False(content.IsBeingRead);
        await EventuallyAsync(() => Pool is { Open: 0, Idle: 0 }, "A connection that waits for the rest of a request was kept.");
    }

    [Fact]
    public async Task After_an_early_answer_a_request_that_was_sent_whole_leaves_the_connection_for_the_next()
    {
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadHeadAsync() is not null)
            {
                await connection.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                for (var left = 5; left > 0;)
                {
                    left -= await connection.Socket.ReceiveAsync(new byte[left], connection.Stopping);
                }
            }
        });
        for (var i = 0; i < 2; i++)
        {
            var exchange = NewExchange(upstream.Port, method: "POST");
            var content = new TestBody(5);
            exchange.RequestBody = content;
            await ForwardAsync(exchange, Upstream());
            Assert.Equal((200, 0), (exchange.ResponseStatus, Pool.Idle));

            content.Add("hello");

            // Whoever lets go of the answer before would break off the request.
            await EventuallyAsync(() => Volatile.Read(ref exchange.Timings.ContentSent) is not (0 or ExchangeTimings.NotYet), "The content was not sent.");
            Assert.Equal(5, exchange.RequestBodyBytes);
            await exchange.ResponseBody.DisposeAsync();
            Assert.Equal((1, 1), (Pool.Open, Pool.Idle));
        }

        Assert.Equal(1, upstream.Accepted);
    }

    [Fact]
    public async Task Content_that_breaks_breaks_the_exchange_with_the_clients_failure()
    {
        var (sawHead, sawEnd) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            sawHead.SetResult();
            await connection.WaitForEndAsync();
            sawEnd.SetResult();
        });
        var exchange = NewExchange(upstream.Port, method: "POST");
        var content = new TestBody(null);
        content.Add("abc");
        exchange.RequestBody = content;
        var forwarding = ForwardAsync(exchange, Upstream());

        // What breaks before anything was sent is no request at all.
        await sawHead.Task.WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
        content.Fail(new Failure(FailureSource.Client, FailureKind.ClientBodyMalformed, Retryable: false, "Malformed."));
        await forwarding;

        Assert.Equal(("client_body_malformed", FailureSource.Client), (exchange.Failure?.Code, exchange.Failure!.Source));
        await sawEnd.Task.WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
        await EventuallyAsync(() => Pool.Open == 0, "The connection was kept.");
    }

    [Fact]
    public async Task Content_that_breaks_within_the_answer_breaks_the_answer()
    {
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.WriteAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
            await connection.WaitForEndAsync();
        });
        var exchange = NewExchange(upstream.Port, method: "POST");
        var content = new TestBody(null);
        exchange.RequestBody = content;
        await ForwardAsync(exchange, Upstream());
        var reading = ReadAsync(exchange);

        content.Fail(new Failure(FailureSource.Client, FailureKind.ClientBodyTimeout, Retryable: false, "Slow."));

        var broken = await Assert.ThrowsAsync<MessageBodyException>(() => reading);
        Assert.Equal("client_body_timeout", broken.Failure.Code);
        await EventuallyAsync(() => Pool.Open == 0, "The connection was kept.");
    }

    [Fact]
    public async Task Content_that_fails_before_anything_was_sent_costs_no_answer()
    {
        await using var upstream = ScriptedUpstream.Answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        var exchange = NewExchange(upstream.Port, method: "POST");
        var content = new TestBody(null);
        content.Fail(new Failure(FailureSource.Client, FailureKind.ClientBodyTooLarge, Retryable: false, "Large."));
        exchange.RequestBody = content;

        await ForwardAsync(exchange, Upstream());

        Assert.Equal("client_body_too_large", exchange.Failure?.Code);
        await EventuallyAsync(() => Pool.Open == 0, "The connection was kept.");
    }

    [Fact]
    public async Task A_client_that_leaves_within_its_content_ends_the_exchange()
    {
        using var client = new CancellationTokenSource();
        await using var upstream = new ScriptedUpstream(connection => connection.WaitForEndAsync());
        var exchange = NewExchange(upstream.Port, method: "POST");
        var content = new TestBody(null);
        content.Add("abc");
        exchange.RequestBody = content;
        exchange.Aborted = client.Token;
        var forwarding = ForwardAsync(exchange, Upstream());
        await EventuallyAsync(() => content.IsBeingRead, "Nobody reads the content.");

        await client.CancelAsync();
        await forwarding;

        Assert.Equal("client_aborted", exchange.Failure?.Code);
        Assert.False(content.IsBeingRead);
        await EventuallyAsync(() => Pool.Open == 0, "The connection was kept.");
    }

    private PoolStatistics Pool => Assert.Single(Forwarder.PoolStatistics);
}
