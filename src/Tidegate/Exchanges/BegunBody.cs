namespace Tidegate.Exchanges;

/// <summary>Content whose beginning, or all of it, was read already: that comes first, and then the rest.</summary>
/// <param name="begun">What was read.</param>
/// <param name="rest">Where it was read from; null when nothing is left there and nothing of it is needed any more.</param>
/// <param name="isComplete">The rest has ended.</param>
/// <param name="broken">How the rest broke while it was read.</param>
internal sealed class BegunBody(ReadOnlyMemory<byte> begun, MessageBody? rest, bool isComplete = false, MessageBodyException? broken = null) : MessageBody
{
    private ReadOnlyMemory<byte> _begun = begun;

    public override long? Length { get; } = rest is null ? begun.Length : rest.Length;

    public override bool HasBytes => !_begun.IsEmpty;

    public override HeaderList? Trailers => rest?.Trailers;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_begun.IsEmpty)
        {
            return broken is not null ? throw broken : isComplete || rest is null ? new ValueTask<int>(0) : rest.ReadAsync(buffer, cancellationToken);
        }

        var count = Math.Min(buffer.Length, _begun.Length);
        _begun[..count].CopyTo(buffer);
        _begun = _begun[count..];
        return new ValueTask<int>(count);
    }

    public override ValueTask DisposeAsync() => rest?.DisposeAsync() ?? default;
}
