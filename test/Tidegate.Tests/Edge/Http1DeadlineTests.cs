using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Edge;
using Tidegate.Edge.Http1;
using Tidegate.Exchanges;
using Tidegate.Transport;
using Xunit;

namespace Tidegate.Tests.Edge;

/// <summary>How long an HTTP/1.1 client may take for each thing, to the tick, on a clock that the test moves.</summary>
public sealed class Http1DeadlineTests : IDisposable
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    private static readonly EdgeLimits Limits = new()
    {
        IdleTimeout = TimeSpan.FromSeconds(75),
        HeaderTimeout = TimeSpan.FromSeconds(15),
        StallTimeout = TimeSpan.FromSeconds(60),
        MinBodyBytesPerSecond = 0,
    };

    private readonly FakeTimeProvider _time = new();
    private readonly Deadlines _deadlines;
    private readonly DrainSignal _drain = new();
    private readonly Pipe _toGateway = new(Inline(pauseBytes: 1 << 20));
    private readonly Pipe _toClient = new(Inline(pauseBytes: 4096));
    private Exception? _thrown;

    public Http1DeadlineTests() => _deadlines = new Deadlines(_time);

    public void Dispose()
    {
        _drain.Dispose();
        _deadlines.Dispose();
    }

    [Theory]
    [InlineData("")]
    [InlineData(Get)]
    [InlineData("\r\n")]
    public void A_connection_that_waits_for_a_request_ends_at_its_idle_timeout_without_a_word(string before)
    {
        var serving = Serve(Answer);
        Send(before);
        Received();

        _time.Advance(Limits.IdleTimeout - TimeSpan.FromMilliseconds(1));
        Assert.False(serving.IsCompleted);
        _time.Advance(Deadlines.Tick + TimeSpan.FromMilliseconds(1));

        Assert.True(serving.IsCompletedSuccessfully);
        Assert.Equal("", Received());
        Assert.Equal(0, _deadlines.Count);
    }

    [Fact]
    public void Every_request_begins_the_idle_time_anew()
    {
        var serving = Serve(Answer);
        for (var i = 0; i < 5; i++)
        {
            Send(Get);
            Assert.StartsWith("HTTP/1.1 200", Received(), StringComparison.Ordinal);
            _time.Advance(Limits.IdleTimeout * 0.9);
        }

        Assert.False(serving.IsCompleted);
    }

    [Fact]
    public void The_handlers_time_is_not_the_clients()
    {
        var answered = new TaskCompletionSource();
        var serving = Serve(async exchange =>
        {
            await answered.Task;
            await Answer(exchange);
        });
        Send(Get);

        _time.Advance(TimeSpan.FromHours(1));
        answered.SetResult();

        Assert.StartsWith("HTTP/1.1 200", Received(), StringComparison.Ordinal);
        Assert.False(serving.IsCompleted);
    }

    [Theory]
    [InlineData("G")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\n")]
    public void A_head_has_its_time_from_its_first_byte_however_it_trickles(string part)
    {
        var serving = Serve(AnswerRefusal);
        _time.Advance(TimeSpan.FromSeconds(50));
        for (var i = 0; i < part.Length; i++)
        {
            Send(part[i..(i + 1)]);
            _time.Advance(TimeSpan.FromMilliseconds(100));
        }

        _time.Advance(Limits.HeaderTimeout - TimeSpan.FromMilliseconds((100 * part.Length) + 1));
        Assert.Equal("", Received());
        _time.Advance(Deadlines.Tick + TimeSpan.FromMilliseconds(1));

        Assert.StartsWith("HTTP/1.1 408", Received(), StringComparison.Ordinal);

        // The reading away of what the client still sends has a limit of its own.
        Assert.False(serving.IsCompleted);
        _time.Advance(Limits.DrainTimeout);
        Assert.True(serving.IsCompletedSuccessfully);
        Assert.Equal(0, _deadlines.Count);
    }

    [Fact]
    public void Content_may_pause_for_as_long_as_the_stall_timeout_each_time()
    {
        var serving = Serve(ReadContent);
        Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
        for (var i = 0; i < 5; i++)
        {
            Send("x");
            _time.Advance(Limits.StallTimeout - TimeSpan.FromMilliseconds(1));
        }

        Assert.Null(_thrown);
        _time.Advance(Deadlines.Tick + TimeSpan.FromMilliseconds(1));

        Assert.Equal(FailureKind.ClientBodyTimeout, Assert.IsType<MessageBodyException>(_thrown).Failure.Kind);
        Assert.False(serving.IsFaulted);
    }

    [Fact]
    public void Content_below_its_least_rate_ends_although_it_never_pauses()
    {
        Serve(ReadContent, Limits with { MinBodyBytesPerSecond = 240, BodyGrace = TimeSpan.FromSeconds(5) });
        Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
        var seconds = 0;
        for (; _thrown is null && seconds < 100; seconds++)
        {
            // Half the least rate: after 10 s of waiting the client has used up the 5 s of grace and the 5 s that 1,200 bytes are worth.
            Send(new string('x', 120));
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.InRange(seconds, 10, 11);
        Assert.Equal(FailureKind.ClientBodyTimeout, Assert.IsType<MessageBodyException>(_thrown).Failure.Kind);
    }

    [Fact]
    public void A_drain_interrupts_no_content_that_is_on_its_way_and_ends_the_connection_behind_it()
    {
        var serving = Serve(async exchange =>
        {
            await ReadContent(exchange);
            await Answer(exchange);
        });
        Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab");
        _drain.Begin();
        _drain.CloseIdle();
        Assert.Null(_thrown);
        Send("c");

        Assert.StartsWith("HTTP/1.1 200", Received(), StringComparison.Ordinal);
        Assert.True(serving.IsCompletedSuccessfully);
    }

    [Fact]
    public void An_answer_waits_for_a_client_that_reads_and_not_for_one_that_does_not()
    {
        Serve(async exchange =>
        {
            try
            {
                exchange.Client.Start(200, exchange.ResponseHeaders, 1_000_000);
                for (var i = 0; i < 100; i++)
                {
                    exchange.Client.GetMemory(10_000).Span[..10_000].Fill((byte)'x');
                    exchange.Client.Advance(10_000);
                    await exchange.Client.FlushAsync(default);
                }
            }
            catch (Exception thrown)
            {
                _thrown = thrown;
            }
        });
        Send(Get);
        for (var i = 0; i < 20; i++)
        {
            _time.Advance(Limits.StallTimeout - TimeSpan.FromMilliseconds(1));
            Received();
        }

        Assert.Null(_thrown);
        _time.Advance(Limits.StallTimeout + Deadlines.Tick);

        Assert.Equal(FailureKind.ClientStalled, Assert.IsType<MessageBodyException>(_thrown).Failure.Kind);
    }

    private static PipeOptions Inline(long pauseBytes) => new(readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, pauseWriterThreshold: pauseBytes, resumeWriterThreshold: 1, useSynchronizationContext: false);

    private static async ValueTask Answer(Exchange exchange)
    {
        exchange.Answer(Outcome.Forwarded, 200);
        exchange.Client.Start(200, exchange.ResponseHeaders, 0);
        await exchange.Client.CompleteAsync(null, default);
    }

    private static async ValueTask AnswerRefusal(Exchange exchange)
    {
        exchange.Client.Start(exchange.Rejection!.Status, exchange.ResponseHeaders, 0);
        await exchange.Client.CompleteAsync(null, default);
    }

    private async ValueTask ReadContent(Exchange exchange)
    {
        try
        {
            while (await exchange.RequestBody.ReadAsync(new byte[1000], default) > 0)
            {
            }
        }
        catch (Exception thrown)
        {
            _thrown = thrown;
        }
    }

    private Task Serve(Func<Exchange, ValueTask> handler, EdgeLimits? limits = null)
    {
        var settings = new ListenerSettings { Name = "ingress", Direction = Direction.Ingress, Address = new IPEndPoint(IPAddress.Loopback, 0), Limits = limits ?? Limits };
        var services = new EdgeServices(Direction.Ingress, () => settings, exchange => handler(exchange), new ExchangeId(1), _deadlines, (_, _, _) => throw new NotSupportedException(), _drain);
        var transport = new DefaultConnectionContext("test", new Duplex(_toGateway.Reader, _toClient.Writer), new Duplex(_toClient.Reader, _toGateway.Writer));
        return new Http1Connection(transport, new ClientConnection { PeerAddress = IPAddress.Loopback }, services).RunAsync().AsTask();
    }

    private void Send(string text)
    {
        if (text.Length > 0)
        {
            _toGateway.Writer.Write(Encoding.Latin1.GetBytes(text));
            Assert.True(_toGateway.Writer.FlushAsync().AsTask().IsCompletedSuccessfully);
        }
    }

    private string Received()
    {
        if (!_toClient.Reader.TryRead(out var result))
        {
            return "";
        }

        var text = Encoding.Latin1.GetString(result.Buffer);
        _toClient.Reader.AdvanceTo(result.Buffer.End);
        return text;
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
