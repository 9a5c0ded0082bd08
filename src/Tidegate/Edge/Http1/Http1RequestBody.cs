using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Edge.Http1;

/// <summary>A request's content on an HTTP/1.1 connection: <c>Content-Length</c> or chunked framing removed, as slow clients bounded.</summary>
/// <param name="writer">Sends the 100 that a client waits for, when its content is first read.</param>
internal sealed class Http1RequestBody(Http1ResponseWriter writer) : MessageBody
{
    private static readonly Failure Malformed = Client(FailureKind.ClientBodyMalformed, "The request's chunked content is malformed.");
    private static readonly Failure Truncated = Client(FailureKind.ClientAborted, "The client closed before its request was complete.");
    private static readonly Failure TooSlow = Client(FailureKind.ClientBodyTimeout, "The request's content came too slowly.");

    // Sizes with their extensions, which are read and thrown away; enough for any real one.
    private const int MaxChunkLineBytes = 256;

    private PipeReader _input = null!;
    private EdgeLimits _limits = EdgeLimits.Default;
    private ReadDeadline _deadline = null!;
    private TimeProvider _time = null!;
    private long _contentLength;
    private bool _chunked;
    private long _remaining;
    private bool _needsChunkEnd;
    private bool _ended = true;
    private long _received;
    private TimeSpan _waited;
    private bool _expectsContinue;
    private HeaderList? _trailers;
    private int _trailerBytes;

    public override long? Length => _chunked ? null : _contentLength;

    public override HeaderList? Trailers => _ended ? _trailers : null;

    /// <summary>Whether the last byte was read, so that the next request begins where the input stands.</summary>
    public bool IsComplete => _ended;

    /// <summary>The client waits for a 100 and may never send this content: what comes next on the connection cannot be known.</summary>
    public bool IsAwaited => _expectsContinue;

    /// <summary>Bytes that are still to come; null when the client did not announce them.</summary>
    public long? Remaining => _chunked ? null : _remaining;

    /// <summary>Begins the content of the next request.</summary>
    /// <param name="input">Stands behind the head.</param>
    /// <param name="contentLength">Bytes, 0 without content, -1 for chunked.</param>
    /// <param name="expectsContinue">The client waits for a 100 before it sends.</param>
    /// <param name="limits">The listener's.</param>
    /// <param name="deadline">The connection's, for the longest pause and the least rate.</param>
    /// <param name="time">The clock.</param>
    public void Begin(PipeReader input, long contentLength, bool expectsContinue, EdgeLimits limits, ReadDeadline deadline, TimeProvider time)
    {
        _input = input;
        _limits = limits;
        _deadline = deadline;
        _time = time;
        _contentLength = Math.Max(0, contentLength);
        _chunked = contentLength < 0;
        _remaining = _contentLength;
        _ended = contentLength == 0;
        _expectsContinue = expectsContinue;
    }

    /// <summary>Forgets everything.</summary>
    public void Reset()
    {
        _input = null!;
        _deadline = null!;
        _needsChunkEnd = false;
        _received = 0;
        _waited = default;
        _trailers = null;
        _trailerBytes = 0;
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_expectsContinue)
        {
            _expectsContinue = false;
            await writer.WriteContinueAsync(cancellationToken);
        }

        while (!_ended)
        {
            var result = await WaitAsync(cancellationToken);
            var available = result.Buffer;
            var taken = Take(ref available, buffer.Span);
            _input.AdvanceTo(available.Start, taken > 0 || _ended ? available.Start : available.End);
            if (taken > 0)
            {
                _received += taken;
                return taken;
            }

            if (result.IsCompleted && !_ended)
            {
                throw new MessageBodyException(Truncated);
            }
        }

        return 0;
    }

    /// <summary>Copies what is there; moves the start of <paramref name="available"/> over everything that was understood.</summary>
    private int Take(ref ReadOnlySequence<byte> available, Span<byte> destination)
    {
        while (_chunked && _remaining == 0)
        {
            if (!TryReadLine(ref available, out var line))
            {
                return 0;
            }

            if (_needsChunkEnd)
            {
                _needsChunkEnd = line.Length == 0 ? false : throw new MessageBodyException(Malformed);
            }
            else if (_trailers is not null)
            {
                if (line.Length == 0)
                {
                    _ended = true;
                    return 0;
                }

                AddTrailer(line);
            }
            else if ((_remaining = ChunkSize(line)) == 0)
            {
                _trailers = new HeaderList();
            }
        }

        var count = (int)Math.Min(Math.Min(available.Length, destination.Length), _remaining);
        available.Slice(0, count).CopyTo(destination);
        available = available.Slice(count);
        _remaining -= count;
        _needsChunkEnd = _chunked && _remaining == 0 && count > 0;
        _ended = !_chunked && _remaining == 0;
        return count;
    }

    private bool TryReadLine(ref ReadOnlySequence<byte> available, out byte[] line)
    {
        var maxBytes = _trailers is null ? MaxChunkLineBytes : _limits.MaxTrailerBytes - _trailerBytes;
        var reader = new SequenceReader<byte>(available);
        if (!reader.TryReadTo(out ReadOnlySequence<byte> found, (byte)'\n'))
        {
            line = [];
            return available.Length > maxBytes ? throw new MessageBodyException(Malformed) : false;
        }

        line = found.Length <= maxBytes && !found.IsEmpty ? found.ToArray() : throw new MessageBodyException(Malformed);
        if (line[^1] != '\r' || line.AsSpan(0, line.Length - 1).Contains((byte)'\r'))
        {
            throw new MessageBodyException(Malformed);
        }

        line = line[..^1];
        available = available.Slice(reader.Position);
        return true;
    }

    /// <summary>RFC 9112 7.1: hex digits, then nothing or extensions. White space before the extension is refused: peers disagree about it.</summary>
    private static long ChunkSize(ReadOnlySpan<byte> line)
    {
        var semicolon = line.IndexOf((byte)';');
        var digits = semicolon < 0 ? line : line[..semicolon];
        var extension = semicolon < 0 ? default : line[semicolon..];
        if (digits.IsEmpty || digits.Length > 15 || HeadParser.HasControl(extension))
        {
            throw new MessageBodyException(Malformed);
        }

        long size = 0;
        foreach (var digit in digits)
        {
            size = char.IsAsciiHexDigit((char)digit) ? (size << 4) | (uint)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10) : throw new MessageBodyException(Malformed);
        }

        return size;
    }

    private void AddTrailer(ReadOnlySpan<byte> line)
    {
        _trailerBytes += line.Length;
        if (_trailers!.Count == _limits.MaxHeaderCount || HeadParser.ParseField(line, _trailers) is not null)
        {
            throw new MessageBodyException(Malformed);
        }
    }

    /// <summary>Waits for bytes, no longer than the longest pause and no longer than the least rate allows.</summary>
    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> WaitAsync(CancellationToken cancellationToken)
    {
        if (_input.TryRead(out var ready))
        {
            if (!ready.Buffer.IsEmpty || ready.IsCompleted)
            {
                // What was looked at before and not understood is no news: those bytes are marked as examined and do not come back here.
                return ready;
            }

            // A drain interrupts reads; content that is on its way is still wanted.
            _input.AdvanceTo(ready.Buffer.Start);
        }

        // Only waiting counts against the client: while the upstream is slow we do not read.
        var began = _time.GetTimestamp();
        var limit = _limits.StallTimeout;
        if (_limits.MinBodyBytesPerSecond > 0)
        {
            var allowed = _limits.BodyGrace + TimeSpan.FromSeconds((double)_received / _limits.MinBodyBytesPerSecond) - _waited;
            limit = allowed < limit ? allowed : limit;
        }

        _deadline.Begin(limit);
        ReadResult result;
        bool isInTime;
        try
        {
            result = await _input.ReadAsync(cancellationToken);
        }
        catch (Exception gone) when (gone is IOException or Microsoft.AspNetCore.Connections.ConnectionAbortedException)
        {
            throw new MessageBodyException(Truncated, gone);
        }
        finally
        {
            isInTime = _deadline.End();
            _waited += _time.GetElapsedTime(began);
        }

        if (isInTime)
        {
            return result;
        }

        // Whatever it has brought at the last moment comes too late.
        _input.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        throw new MessageBodyException(TooSlow);
    }

    private static Failure Client(FailureKind kind, string detail) => new(FailureSource.Client, kind, Retryable: false, detail);
}
