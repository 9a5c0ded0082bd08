using System.Buffers;
using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Limits.Costs;

/// <summary>
/// A request's content of which the beginning was read, to know what it costs before it is sent. The upstream gets it unchanged. When the attempt is over the exchange has
/// its own content back, so that the next attempt reads from the beginning. What comes behind the beginning is looked through while it passes: whoever is charged learns of it then.
/// </summary>
internal sealed class CostedRequest : MessageBody, IAnswerEnding
{
    /// <summary>64 KB, as retries keep: nearly all API calls.</summary>
    public const int MaxBytes = 64 * 1024;

    private const int FirstBytes = 4 * 1024;

    private readonly MessageBody _inner;
    private readonly IReadOnlyList<JsonPointer> _pointers;
    private readonly (JsonPointer Pointer, JsonCostScanner Scanner)[] _scanners;
    private byte[] _begun = [];
    private int _length;
    private int _position;
    private bool _isComplete;
    private MessageBodyException? _broken;

    private CostedRequest(MessageBody inner, IReadOnlyList<JsonPointer> pointers)
    {
        _inner = inner;
        _pointers = pointers;
        _scanners = [.. pointers.Select(pointer => (pointer, new JsonCostScanner(pointer)))];
    }

    public override long? Length => _inner.Length;

    public override HeaderList? Trailers => _inner.Trailers;

    /// <summary>Reads a request's content as far as the bound: of several numbers in one place nobody knows which the upstream takes before all were seen.</summary>
    /// <returns>What was read; null when nothing could be.</returns>
    public static async ValueTask<CostedRequest?> ReadAsync(Exchange exchange, IReadOnlyList<JsonPointer> pointers)
    {
        if (exchange.RequestBody is CostedRequest known && ReferenceEquals(known._pointers, pointers))
        {
            // Another key is asked for room, and nothing was sent.
            return known;
        }

        if (exchange.RequestBody.IsEmpty || !ReadableContent.IsJson(exchange.RequestHeaders))
        {
            return null;
        }

        var costed = new CostedRequest(exchange.RequestBody, pointers);
        exchange.RequestBody = costed;
        exchange.WhenAnswerEnds(costed);
        await costed.BeginAsync(exchange.Aborted);
        return costed;
    }

    /// <summary>What was found; false when nothing was, as far as content has come.</summary>
    public bool TryGet(JsonPointer pointer, out long cost)
    {
        foreach (var (looked, scanner) in _scanners)
        {
            if (ReferenceEquals(looked, pointer))
            {
                cost = scanner.Cost;
                return cost >= 0;
            }
        }

        cost = 0;
        return false;
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_position == _length)
        {
            return _broken is not null ? throw _broken : _isComplete ? new ValueTask<int>(0) : PassAsync(buffer, cancellationToken);
        }

        var count = Math.Min(buffer.Length, _length - _position);
        _begun.AsSpan(_position, count).CopyTo(buffer.Span);
        _position += count;
        return new ValueTask<int>(count);
    }

    public override ValueTask DisposeAsync() => _inner.DisposeAsync();

    void IAnswerEnding.AnswerEnded(Exchange exchange)
    {
        if (ReferenceEquals(exchange.RequestBody, this))
        {
            exchange.RequestBody = _inner;
        }

        ArrayPool<byte>.Shared.Return(_begun);
        _begun = [];
        _length = _position = 0;
    }

    private async ValueTask BeginAsync(CancellationToken aborted)
    {
        _begun = ArrayPool<byte>.Shared.Rent((int)Math.Min(_inner.Length ?? FirstBytes, MaxBytes));
        try
        {
            while (_length < MaxBytes && !_isComplete)
            {
                Grow();
                var read = await _inner.ReadAsync(_begun.AsMemory(_length, Math.Min(_begun.Length, MaxBytes) - _length), aborted);
                Look(_begun.AsSpan(_length, read));
                _length += read;
            }
        }
        catch (MessageBodyException broken)
        {
            // Whoever sends the content on finds the same break, after what came before it.
            _broken = broken;
        }
        catch (OperationCanceledException) when (aborted.IsCancellationRequested)
        {
            // Nobody is left to be answered; the forwarder finds the same.
            return;
        }
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> PassAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var read = await _inner.ReadAsync(buffer, cancellationToken);
        Look(buffer.Span[..read]);
        return read;
    }

    /// <summary>Looks through the next piece; an empty one is the end.</summary>
    private void Look(ReadOnlySpan<byte> piece)
    {
        _isComplete = piece.IsEmpty;
        foreach (var (_, scanner) in _scanners)
        {
            scanner.Read(piece);
            if (_isComplete)
            {
                scanner.End();
            }
        }
    }

    private void Grow()
    {
        if (_length == _begun.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Min(MaxBytes, _length * 2));
            _begun.AsSpan(0, _length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_begun);
            _begun = larger;
        }
    }
}
