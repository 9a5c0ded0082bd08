using System.Buffers;
using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Retry;

/// <summary>
/// A request's content that can be read again: what was read is kept, up to a bound. Beyond it nothing is kept and there is no second reading. One reader at a
/// time; an attempt that was given up no longer reads.
/// </summary>
internal sealed class ReplayBody(MessageBody inner, int maxBytes) : MessageBody, IAnswerEnding
{
    private byte[] _kept = [];
    private int _length;
    private int _position;
    private bool _isBeyond = inner.Length > maxBytes;
    private bool _hasBegun;
    private bool _hasEnded;

    /// <summary>Whether everything that was read is still here; what nobody has read is, whatever its size.</summary>
    public bool CanReplay => !_isBeyond || !_hasBegun;

    public override long? Length => inner.Length;

    public override HeaderList? Trailers => _hasEnded ? inner.Trailers : null;

    /// <summary>The next reader begins at the beginning.</summary>
    public void Rewind() => _position = 0;

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_position < _length)
        {
            var again = Math.Min(buffer.Length, _length - _position);
            _kept.AsSpan(_position, again).CopyTo(buffer.Span);
            _position += again;
            return again;
        }

        if (_hasEnded)
        {
            return 0;
        }

        _hasBegun = true;
        var read = await inner.ReadAsync(buffer, cancellationToken);
        _hasEnded = read == 0;
        Keep(buffer.Span[..read]);
        return read;
    }

    public override ValueTask DisposeAsync() => inner.DisposeAsync();

    /// <summary>There will be no further attempt: nothing more is kept. What is kept is still read, and given back when the exchange is over.</summary>
    public void KeepNoMore() => _isBeyond = true;

    /// <summary>The exchange is over, and nobody reads any more.</summary>
    void IAnswerEnding.AnswerEnded(Exchange exchange)
    {
        if (_kept.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_kept);
            _kept = [];
            _length = _position = 0;
        }
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        if (_isBeyond)
        {
            return;
        }

        if (_length + bytes.Length > maxBytes)
        {
            _isBeyond = true;
            return;
        }

        if (_length + bytes.Length > _kept.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(1024, _length + bytes.Length));
            _kept.AsSpan(0, _length).CopyTo(larger);
            if (_kept.Length > 0)
            {
                ArrayPool<byte>.Shared.Return(_kept);
            }

            _kept = larger;
        }

        bytes.CopyTo(_kept.AsSpan(_length));
        _length += bytes.Length;
        _position = _length;
    }
}
