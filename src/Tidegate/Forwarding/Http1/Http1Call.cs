using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Forwarding.Connecting;
using Tidegate.Transport;

namespace Tidegate.Forwarding.Http1;

/// <summary>
/// One exchange on an HTTP/1.1 upstream: connection, request, the answer's head, its content. Kept by the <see cref="Exchange"/> object and used again with it, so that a
/// forward allocates nothing.
/// </summary>
internal sealed class Http1Call
{
    // A few 103 and 102 are what there is in practice; each costs a write to the client.
    private const int MaxInterim = 16;

    private static readonly Failure BrokenField = new(FailureSource.Gateway, FailureKind.GatewayError, Retryable: false, "A request field that a policy wrote contains a line break. Look for a secret file that ends with one.");

    private readonly Http1Client _client;
    private readonly PhaseClock _clock;
    private readonly ContentSender _sender;
    private readonly ResponseBody _body;
    private readonly HeaderList _interim = new();
    private Exchange _exchange = null!;
    private Upstream _upstream = null!;
    private ConnectionPool _pool = null!;
    private ResponseHead _head;
    private CancellationTokenRegistration _aborted;
    private Failure? _failure;
    private long _began;
    private int _interims;
    private bool _isReused;
    private bool _hasBytes;

    public Http1Call(Http1Client client)
    {
        _client = client;
        _clock = new PhaseClock(client.Time);
        _sender = new ContentSender(_clock);
        _body = new ResponseBody(this, _clock);
    }

    private enum Step
    {
        ReadMore,
        PassInterim,
        Done,
    }

    /// <summary>Whose object this is.</summary>
    public Http1Client Client => _client;

    /// <summary>The one in use; null before and after.</summary>
    public UpstreamConnection? Connection { get; private set; }

    /// <summary>The exchange's own cancellation.</summary>
    public CancellationToken Aborted => _exchange.Aborted;

    /// <summary>One attempt, and one more where the first met a connection that was closing.</summary>
    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    public async ValueTask RunAsync(Exchange exchange, Upstream upstream, ConnectionPool pool, long now)
    {
        _exchange = exchange;
        _upstream = upstream;
        _pool = pool;
        _began = now;
        for (var isRetry = false; ; isRetry = true)
        {
            // :: Step 1: A connection: the idle one that was used last, else a new one. What closed the first of a retry may have closed every idle one.
            var connection = isRetry ? null : pool.TryRent(_client.Partition);
            if (connection is null)
            {
                connection = await _client.OpenAsync(exchange, upstream, pool, isRetry);
                if (connection is null)
                {
                    return;
                }

                _began = _client.Time.GetTimestamp();
            }

            // :: Step 2: The request, as far as it is there, in one send. The rest of its content follows on its own.
            try
            {
                if (!Send(connection))
                {
                    return;
                }
            }
            catch
            {
                // A bug of ours: nobody else knows of the connection yet, and its place is for others.
                if (Connection is null)
                {
                    connection.Close();
                }
                else
                {
                    await AbandonAsync();
                }

                throw;
            }

            // :: Step 3: The final head. Content stays where it is until somebody reads it.
            try
            {
                Step step;
                while ((step = Read(await connection.ReadAsync())) != Step.Done)
                {
                    if (step == Step.PassInterim && !await PassInterimAsync())
                    {
                        break;
                    }
                }
            }
            catch (Exception broken) when (UpstreamConnection.IsBreak(broken))
            {
                _failure = Explain(UpstreamFailures.Of(FailureKind.RequestFailed, exchange));
            }

            if (_failure is null)
            {
                return;
            }

            // :: Step 4: It broke. RFC 9110 9.2.2, RFC 9112 9.3.1: a request that may be repeated is, when a kept connection ended before it said anything.
            await AbandonAsync();
            if (isRetry || !MayRepeat())
            {
                exchange.ResponseHeaders.Clear();
                exchange.Fail(_failure);
                return;
            }

            exchange.Attempts++;
            (exchange.WasSentBefore, exchange.WasSent) = (exchange.WasSent, false);
        }
    }

    /// <summary>The answer's content was read to its end.</summary>
    public void BodyEnded()
    {
        // While content is still being sent the connection is not free; whoever disposes the body looks again.
        if (_sender.HasEnded)
        {
            Release();
        }
    }

    /// <summary>The exchange is over. What was not finished is broken off.</summary>
    public ValueTask CloseAsync() => Connection is null ? default : CloseConnectionAsync();

    /// <summary>Why the connection broke: the client's doing, ours, or what the caller thinks.</summary>
    public Failure? Explain(Failure? otherwise) =>
        _sender.ClientFailure ?? (Aborted.IsCancellationRequested ? UpstreamFailures.ClientGone : Connection?.Deadline.IsExpired == true ? UpstreamFailures.TooSlow(_clock.Phase) : otherwise);

    /// <summary>The upstream does not keep to the rules.</summary>
    public static Failure Malformed(string problem) =>
        new(FailureSource.Upstream, FailureKind.ResponseMalformed, Retryable: false, $"The upstream's answer is not valid HTTP: {problem}.");

    private bool Send(UpstreamConnection connection)
    {
        var exchange = _exchange;
        if (!RequestWriter.TryWriteHead(exchange, _upstream.RewriteHost ? _pool.Authority.Span : default, exchange.RequestBody.Length, connection.Output))
        {
            _pool.Return(connection);
            exchange.Fail(BrokenField);
            return false;
        }

        Connection = connection;
        _isReused = connection.IsReused;
        _hasBytes = false;
        _failure = null;
        _interims = 0;
        _head = default;

        // Bound to the connection and not to this object: a cancellation that comes late finds nothing that is in use.
        _aborted = exchange.Aborted.UnsafeRegister(static state => ((UpstreamConnection)state!).Abort(), connection);
        _clock.Begin(connection.Deadline, _upstream.Timeouts, exchange.Timings.Received);
        _sender.Begin(exchange, connection, _began);
        return true;
    }

    private Step Read(ReadResult result)
    {
        var buffer = result.Buffer;
        _hasBytes |= !buffer.IsEmpty;
        var progress = ReadHead(buffer, out var consumed);
        if (progress == HeadProgress.Malformed)
        {
            _failure = Malformed(_head.Problem!);
            return Step.Done;
        }

        if (progress == HeadProgress.Incomplete)
        {
            Connection!.Input.AdvanceTo(buffer.GetPosition(consumed), buffer.End);
            if (!result.IsCompleted)
            {
                return Step.ReadMore;
            }

            _failure = Explain(UpstreamFailures.Of(FailureKind.RequestFailed, _exchange));
            return Step.Done;
        }

        if (_head.IsInterim)
        {
            Connection!.Input.AdvanceTo(buffer.GetPosition(consumed));
            return Step.PassInterim;
        }

        _exchange.Timings.ResponseStarted = _client.Time.GetTimestamp();
        _exchange.UpstreamProtocol = _head.Version;
        _clock.HeadArrived();
        if (_head.Status == 101)
        {
            Switch(buffer.GetPosition(consumed));
        }
        else
        {
            Accept(buffer.Slice(consumed));
        }

        return Step.Done;
    }

    private HeadProgress ReadHead(in ReadOnlySequence<byte> buffer, out int consumed)
    {
        if (buffer.IsSingleSegment)
        {
            return _head.Read(buffer.FirstSpan, _exchange.ResponseHeaders, _interim, out consumed);
        }

        // In several pieces only on transports that keep them apart, and then seldom: put together, no more than a head can be.
        var length = (int)Math.Min(buffer.Length, ResponseHead.MaxBytes + 1);
        var joined = ArrayPool<byte>.Shared.Rent(length);
        buffer.Slice(0, length).CopyTo(joined);
        var progress = _head.Read(joined.AsSpan(0, length), _exchange.ResponseHeaders, _interim, out consumed);
        ArrayPool<byte>.Shared.Return(joined);
        return progress;
    }

    private void Accept(ReadOnlySequence<byte> rest)
    {
        var exchange = _exchange;
        if (exchange.BasePath is not null)
        {
            LinkRewriter.Rewrite(exchange);
        }

        exchange.ResponseBody = _body;
        exchange.Answer(Outcome.Forwarded, _head.Status);
        _body.Begin(_head, isHead: exchange.Method == "HEAD", rest);
    }

    /// <summary>101: the connection is no longer HTTP's.</summary>
    private void Switch(SequencePosition behindHead)
    {
        var exchange = _exchange;
        var connection = Connection!;
        connection.Input.AdvanceTo(behindHead);
        if (!_head.SaysUpgrade || !IsAskedFor(exchange) || !_sender.IsSent)
        {
            _failure = Malformed("it switches to a protocol that was not asked for");
            return;
        }

        if (exchange.Aborted.CanBeCanceled && !_aborted.Unregister())
        {
            _failure = UpstreamFailures.ClientGone;
            return;
        }

        // A total is about calls: what the connection has become lasts as long as both sides like.
        if (!connection.Deadline.Clear())
        {
            _failure = Explain(UpstreamFailures.Of(FailureKind.RequestFailed, exchange));
            return;
        }

        Connection = null;
        exchange.ResponseHeaders.Remove(KnownHeader.Upgrade);
        exchange.UpstreamStream = new ConnectionStream(connection.Context, () => connection.Close());
        exchange.Answer(Outcome.Forwarded, _head.Status);
    }

    /// <summary>RFC 9110 7.8: a server may switch only to what the client named.</summary>
    private static bool IsAskedFor(Exchange exchange) =>
        exchange.UpgradeProtocol is { } asked && exchange.ResponseHeaders.Get(KnownHeader.Upgrade) is { } chosen && asked.Split(',', StringSplitOptions.TrimEntries).Contains(chosen, StringComparer.OrdinalIgnoreCase);

    /// <summary>A 1xx goes on to the client, but not a 100: our edge has answered the client's expectation itself.</summary>
    private async ValueTask<bool> PassInterimAsync()
    {
        var status = _head.Status;
        _head = default;
        if (++_interims > MaxInterim)
        {
            _failure = Malformed("it has too many interim answers");
            return false;
        }

        try
        {
            if (status != 100)
            {
                await _exchange.Client.WriteInformationalAsync(status, _interim, Aborted);
            }

            _interim.Clear();
            return true;
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException)
        {
            _failure = UpstreamFailures.ClientGone;
            return false;
        }
    }

    private bool MayRepeat() => _isReused && !_hasBytes && !_sender.HasBegun && _failure!.Kind == FailureKind.RequestFailed
        && _exchange.Method is "GET" or "HEAD" or "OPTIONS" or "TRACE" or "PUT" or "DELETE";

    private async ValueTask CloseConnectionAsync()
    {
        if (_body.IsEnded && _sender.HasEnded)
        {
            Release();
        }
        else
        {
            await AbandonAsync();
        }
    }

    /// <summary>Answer and request are complete, as far as they got: the connection goes back, when it may carry another exchange.</summary>
    private void Release()
    {
        var connection = Connection!;
        Connection = null;
        connection.Input.AdvanceTo(_body.Rest.Start);
        var isAborted = Aborted.CanBeCanceled && !_aborted.Unregister();
        if (_body.Rest.IsEmpty && _body.IsDelimited && _head.IsPersistent && !isAborted && _sender.IsSent && connection.Deadline.Clear())
        {
            connection.IsReused = true;
            _pool.Return(connection);
        }
        else
        {
            // Bytes behind the answer belong to no request of ours; a request that was cut short leaves the upstream waiting for its rest.
            connection.Close();
        }

        _sender.End();
    }

    /// <summary>Breaks off, and waits until nobody reads the client's content for it any more.</summary>
    private async ValueTask AbandonAsync()
    {
        var connection = Connection!;
        connection.Abort();
        try
        {
            await _sender.StopAsync();
        }
        finally
        {
            Connection = null;
            _aborted.Unregister();
            connection.Close();
        }
    }
}
