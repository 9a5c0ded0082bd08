using System.Buffers;
using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Forwarding.Http1;

/// <summary>The content of an upstream's answer, read where it stands in the connection's buffer. Ends only at its complete end.</summary>
internal sealed class ResponseBody(Http1Call call, PhaseClock clock) : MessageBody
{
    private ChunkedContent _chunks;
    private ReadOnlySequence<byte> _rest;
    private HeaderList? _trailers;
    private long _remaining;
    private long? _length;
    private Framing _framing;
    private bool _isEnded = true;

    private enum Framing : byte
    {
        Length,
        Chunked,

        /// <summary>RFC 9112 6.3, the last rule: until the connection closes.</summary>
        Close,
    }

    public override long? Length => _length;

    public override bool HasBytes => _framing == Framing.Length && !_rest.IsEmpty;

    public override HeaderList? Trailers => _isEnded ? _trailers : null;

    /// <summary>Read to its end, or it never had any content.</summary>
    public bool IsEnded => _isEnded;

    /// <summary>Where it ends is beyond doubt and does not depend on the connection's end.</summary>
    public bool IsDelimited { get; private set; }

    /// <summary>What stands in the connection's buffer behind what was read.</summary>
    public ReadOnlySequence<byte> Rest => _rest;

    /// <summary>Prepares for an answer; ends it at once when it has no content.</summary>
    /// <param name="head">Complete and final.</param>
    /// <param name="isHead">The request's method was HEAD.</param>
    /// <param name="rest">The buffer behind the head.</param>
    public void Begin(in ResponseHead head, bool isHead, ReadOnlySequence<byte> rest)
    {
        _rest = rest;
        _chunks = default;
        _trailers = null;

        // RFC 9112 6.3: these never have content, whatever their fields say. What a 304 or an answer to HEAD says is passed on.
        var hasNoContent = isHead || head.Status is 204 or 304;
        _framing = head.IsChunked ? Framing.Chunked : head.ContentLength is null && !hasNoContent ? Framing.Close : Framing.Length;
        _length = head.Status == 204 ? null : head.ContentLength;
        _remaining = head.ContentLength ?? 0;

        // A server that announces content with a 204 may well send it.
        IsDelimited = _framing != Framing.Close && (head.Status != 204 || (!head.IsChunked && _remaining == 0));
        _isEnded = hasNoContent || (_framing == Framing.Length && _remaining == 0);
        if (_isEnded)
        {
            call.BodyEnded();
        }
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_isEnded)
        {
            return new ValueTask<int>(0);
        }

        var taken = Take(buffer.Span);
        return taken > 0 || _isEnded ? new ValueTask<int>(taken) : WaitAsync(buffer, cancellationToken);
    }

    public override ValueTask DisposeAsync() => call.CloseAsync();

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> WaitAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var connection = call.Connection ?? throw new ObjectDisposedException(nameof(ResponseBody));

        // The exchange's own token is watched already; any other only while we wait.
        using var cancelled = cancellationToken == call.Aborted ? default : cancellationToken.UnsafeRegister(static state => ((UpstreamConnection)state!).Abort(), connection);
        while (true)
        {
            bool isOver;
            try
            {
                connection.Input.AdvanceTo(_rest.Start, _rest.End);
                var reading = connection.Input.ReadAsync(CancellationToken.None);
                var waits = !reading.IsCompleted;
                if (waits)
                {
                    clock.ReaderWaits();
                }

                var result = await reading;
                if (waits)
                {
                    clock.ReaderGoesOn();
                }

                _rest = result.Buffer;
                isOver = result.IsCompleted;
            }
            catch (Exception broken) when (UpstreamConnection.IsBreak(broken))
            {
                _rest = default;
                throw new MessageBodyException(call.Explain(UpstreamFailures.Truncated)!, broken);
            }

            var taken = Take(buffer.Span);
            if (taken > 0 || _isEnded)
            {
                return taken;
            }

            if (isOver)
            {
                return _framing == Framing.Close && !connection.IsAborted ? End(0) : throw new MessageBodyException(call.Explain(UpstreamFailures.Truncated)!);
            }
        }
    }

    private int Take(Span<byte> destination)
    {
        if (_rest.IsEmpty)
        {
            return 0;
        }

        if (_framing == Framing.Chunked)
        {
            return TakeChunked(destination);
        }

        var count = (int)Math.Min(_rest.Length, destination.Length);
        if (_framing == Framing.Length)
        {
            count = (int)Math.Min(count, _remaining);
        }

        var taken = _rest.Slice(0, count);
        taken.CopyTo(destination);
        _rest = _rest.Slice(taken.End);
        if (_framing == Framing.Length && (_remaining -= count) == 0)
        {
            return End(count);
        }

        return count;
    }

    private int TakeChunked(Span<byte> destination)
    {
        var written = 0;
        while (!_rest.IsEmpty && !_chunks.IsEnded)
        {
            var taken = _chunks.Take(_rest.FirstSpan, destination[written..], ref _trailers, out var consumed);
            if (consumed == 0 && taken == 0 && !_rest.IsSingleSegment && written < destination.Length)
            {
                taken = TakeAcross(destination[written..], out consumed);
            }

            if (taken < 0)
            {
                return written > 0 ? written : throw new MessageBodyException(Http1Call.Malformed("its chunked content is malformed"));
            }

            written += taken;
            _rest = _rest.Slice(consumed);
            if (consumed == 0)
            {
                break;
            }
        }

        return _chunks.IsEnded ? End(written) : written;
    }

    /// <summary>A line that lies across two pieces of the buffer.</summary>
    private int TakeAcross(Span<byte> destination, out int consumed)
    {
        var length = (int)Math.Min(_rest.Length, ResponseHead.MaxBytes + 2);
        var joined = ArrayPool<byte>.Shared.Rent(length);
        _rest.Slice(0, length).CopyTo(joined);
        var taken = _chunks.Take(joined.AsSpan(0, length), destination, ref _trailers, out consumed);
        ArrayPool<byte>.Shared.Return(joined);
        return taken;
    }

    private int End(int count)
    {
        _isEnded = true;
        call.BodyEnded();
        return count;
    }
}
