using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>Content that was read to make a key of it, and after it the rest that was too long for that.</summary>
internal sealed class ReplayedBody(ReadOnlyMemory<byte> read, MessageBody? rest) : MessageBody
{
    private int _offset;

    public override long? Length => rest is null ? read.Length : rest.Length;

    public override HeaderList? Trailers => rest?.Trailers;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var count = Math.Min(buffer.Length, read.Length - _offset);
        if (count == 0)
        {
            return rest is null ? new ValueTask<int>(0) : rest.ReadAsync(buffer, cancellationToken);
        }

        read.Slice(_offset, count).CopyTo(buffer);
        _offset += count;
        return new ValueTask<int>(count);
    }

    public override ValueTask DisposeAsync() => rest?.DisposeAsync() ?? default;
}
