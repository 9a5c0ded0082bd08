using Tidegate.Exchanges;

namespace Tidegate.Policies.Capture;

/// <summary>Content on its way, of which the beginning is copied.</summary>
internal sealed class CapturingBody(MessageBody inner, long maxBytes) : MessageBody
{
    private readonly MemoryStream _copied = new();

    /// <summary>What has passed, up to the bound.</summary>
    public ReadOnlyMemory<byte> Copied => _copied.GetBuffer().AsMemory(0, (int)_copied.Length);

    /// <summary>More has passed than was copied.</summary>
    public bool IsCut { get; private set; }

    public override long? Length => inner.Length;

    public override bool HasBytes => inner.HasBytes;

    public override HeaderList? Trailers => inner.Trailers;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var read = await inner.ReadAsync(buffer, cancellationToken);
        var copied = (int)Math.Min(read, maxBytes - _copied.Length);
        _copied.Write(buffer.Span[..copied]);
        IsCut |= copied < read;
        return read;
    }

    public override ValueTask DisposeAsync() => inner.DisposeAsync();
}
