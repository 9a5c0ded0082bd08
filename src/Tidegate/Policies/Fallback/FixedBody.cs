using Tidegate.Exchanges;

namespace Tidegate.Policies.Fallback;

/// <summary>Content that is in memory already.</summary>
internal sealed class FixedBody(ReadOnlyMemory<byte> content) : MessageBody
{
    private ReadOnlyMemory<byte> _rest = content;

    public override long? Length { get; } = content.Length;

    public override bool HasBytes => true;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var count = Math.Min(buffer.Length, _rest.Length);
        _rest[..count].CopyTo(buffer);
        _rest = _rest[count..];
        return new ValueTask<int>(count);
    }
}
