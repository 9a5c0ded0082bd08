using System.Buffers;
using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Retry;

/// <summary>
/// A request's content that can be read again: what was read is kept, first in memory and beyond that in a file where the settings say so, up to a bound. Beyond it nothing is
/// kept and there is no second reading. One reader at a time; an attempt that was given up no longer reads.
/// </summary>
internal sealed class ReplayBody(MessageBody inner, RetrySettings settings) : MessageBody, IAnswerEnding
{
    private static readonly Failure Lost = new(FailureSource.Gateway, FailureKind.GatewayError, Retryable: false, "The gateway could not read back what it kept of the request's content.");

    private byte[] _kept = [];
    private SpillFile? _file;
    private int _length;
    private long _position;
    private bool _isBeyond = inner.Length > settings.MaxBodyBytes + settings.SpillBytes;
    private bool _hasBegun;
    private bool _hasEnded;

    /// <summary>Whether everything that was read is still here; what nobody has read is, whatever its size.</summary>
    public bool CanReplay => !_isBeyond || !_hasBegun;

    public override long? Length => inner.Length;

    public override HeaderList? Trailers => _hasEnded ? inner.Trailers : null;

    private long Kept => _length + (_file?.Length ?? 0);

    /// <summary>The next reader begins at the beginning.</summary>
    public void Rewind() => _position = 0;

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_position < Kept)
        {
            return await ReadAgainAsync(buffer);
        }

        if (_hasEnded)
        {
            return 0;
        }

        _hasBegun = true;
        var read = await inner.ReadAsync(buffer, cancellationToken);
        _hasEnded = read == 0;
        if (!_isBeyond && !Keep(buffer.Span[..read]))
        {
            await SpillAsync(buffer[..read]);
        }

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
        }

        if (_file is { } file)
        {
            settings.Spill!.Release(file);
            _file = null;
        }

        _length = 0;
        _position = 0;
    }

    private ValueTask<int> ReadAgainAsync(Memory<byte> buffer)
    {
        if (_position >= _length)
        {
            return ReadFileAsync(buffer);
        }

        var again = (int)Math.Min(buffer.Length, _length - _position);
        _kept.AsSpan((int)_position, again).CopyTo(buffer.Span);
        _position += again;
        return new ValueTask<int>(again);
    }

    private async ValueTask<int> ReadFileAsync(Memory<byte> buffer)
    {
        var read = await settings.Spill!.ReadAsync(_file!, _position - _length, buffer[..(int)Math.Min(buffer.Length, Kept - _position)]);
        if (read <= 0)
        {
            throw new MessageBodyException(Lost);
        }

        _position += read;
        return read;
    }

    /// <summary>Keeps a piece in memory; false when it has no room there.</summary>
    private bool Keep(ReadOnlySpan<byte> bytes)
    {
        if (_file is not null || _length + bytes.Length > settings.MaxBodyBytes)
        {
            return false;
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
        return true;
    }

    private async ValueTask SpillAsync(ReadOnlyMemory<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            return;
        }

        if (settings.Spill is not { } space || Kept + bytes.Length > settings.MaxBodyBytes + settings.SpillBytes || await space.KeepAsync(settings.SpillDirectory, _file, bytes) is not { } file)
        {
            // What is in the file already is read again by nobody, but counts until the exchange is over.
            _isBeyond = true;
            return;
        }

        _file = file;
        _position = Kept;
    }
}
