using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Cache;

/// <summary>One exchange's way through stored content: all of it, a range, or none (HEAD, 304). Kept by the exchange and used again.</summary>
internal sealed class ContentReader(AnswerStore store) : MessageBody
{
    private StoredContent? _content;
    private FlightSeat? _seat;
    private CancellationTokenRegistration _aborted;
    private volatile bool _isAborted;
    private ContentFilling? _awaited;
    private long _offset;
    private long _end;
    private long? _length;

    /// <summary>Set when more has come.</summary>
    public HomeSignal Signal { get; } = new();

    /// <summary>Everything before it was read.</summary>
    public long Position { get; set; }

    /// <summary>Set by complete content: it knows of this reader.</summary>
    public bool IsCounted { get; set; }

    /// <summary>A cancellation may still come for an earlier use: it must not be used again.</summary>
    public bool IsSpoiled { get; private set; }

    public override long? Length => _length ?? _content?.TotalLength;

    /// <summary>Complete content is all there.</summary>
    public override bool HasBytes => _seat is null;

    public override HeaderList? Trailers => _content?.Trailers;

    /// <summary>Begins to read; false when the content can no longer be read from its beginning.</summary>
    /// <param name="content">Complete or filling.</param>
    /// <param name="seat">In the flight that fills it, given up at the end; null when it is complete.</param>
    /// <param name="range">A part of complete content; null for all.</param>
    public bool TryBegin(StoredContent content, FlightSeat? seat, ByteRange? range = null)
    {
        _offset = range?.Start ?? 0;
        Position = _offset;
        _end = range is { } part ? part.Start + part.Length : long.MaxValue;
        _isAborted = false;
        _content = null;
        _awaited = null;
        if (!content.TryJoin(this))
        {
            return false;
        }

        _content = content;
        _seat = seat;
        _length = range?.Length;
        return true;
    }

    /// <summary>There is no content; a length is only announced.</summary>
    public void BeginWithout(long? length)
    {
        _content = null;
        _length = length;
    }

    /// <summary>It reads content that comes: that all of it is there is not its end yet.</summary>
    public void AwaitEnd(ContentFilling filling) => Volatile.Write(ref _awaited, filling);

    /// <summary>Now it is. One that has left may be reading something else.</summary>
    public void EndIsKnown(ContentFilling filling) => Interlocked.CompareExchange(ref _awaited, null, filling);

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_content is not { } content || _offset == _end)
        {
            return new ValueTask<int>(0);
        }

        var into = buffer.Span[..(int)Math.Min(buffer.Length, _end - _offset)];
        var read = content.Read(this, _offset, into);
        _offset += read;
        return read > 0 || IsOver(content) ? new ValueTask<int>(read > 0 ? read : ReadRest(content, into)) : WaitAsync(content, buffer, cancellationToken);
    }

    public override ValueTask DisposeAsync()
    {
        if (_content is { } content)
        {
            _content = null;
            content.Leave(this, store);
            _seat?.Leave();
            _seat = null;
        }

        return default;
    }

    private bool IsOver(StoredContent content) => content.IsComplete && Volatile.Read(ref _awaited) is null;

    /// <summary>It was completed between two looks.</summary>
    private int ReadRest(StoredContent content, Span<byte> into)
    {
        var read = content.Read(this, _offset, into);
        _offset += read;
        return read;
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> WaitAsync(StoredContent content, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        _aborted = cancellationToken.UnsafeRegister(static reader => ((ContentReader)reader!).Abort(), this);
        try
        {
            while (true)
            {
                await Signal.WaitAsync();
                if (_isAborted)
                {
                    throw new OperationCanceledException(cancellationToken);
                }

                var read = content.Read(this, _offset, buffer.Span[..(int)Math.Min(buffer.Length, _end - _offset)]);
                _offset += read;
                if (read > 0)
                {
                    return read;
                }

                if (IsOver(content))
                {
                    return ReadRest(content, buffer.Span);
                }
            }
        }
        finally
        {
            IsSpoiled |= cancellationToken.CanBeCanceled && !_aborted.Unregister();
        }
    }

    private void Abort()
    {
        _isAborted = true;
        Signal.Set();
    }
}
