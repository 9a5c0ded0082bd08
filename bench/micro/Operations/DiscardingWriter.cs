using Tidegate.Exchanges;

namespace Tidegate.Benchmarks.Operations;

/// <summary>A client that takes everything at once and keeps nothing, so that only the work before it is measured.</summary>
internal sealed class DiscardingWriter : ClientResponseWriter
{
    private readonly byte[] _scratch = new byte[16 * 1024];
    private long _written;

    public override bool HasStarted => false;

    public override long BodyBytesWritten => _written;

    public override ValueTask WriteInformationalAsync(int status, HeaderList headers, CancellationToken cancellationToken) => default;

    public override void Start(int status, HeaderList headers, long? contentLength) => _written = 0;

    public override Memory<byte> GetMemory(int sizeHint = 0) => _scratch;

    public override void Advance(int count) => _written += count;

    public override ValueTask FlushAsync(CancellationToken cancellationToken) => default;

    public override ValueTask CompleteAsync(HeaderList? trailers, CancellationToken cancellationToken) => default;

    public override ValueTask<Stream> SwitchProtocolsAsync(int status, HeaderList headers, CancellationToken cancellationToken) => throw new NotSupportedException();

    public override void Abort() => throw new InvalidOperationException("An operation aborted its client.");

    public override void CloseAfterReply()
    {
        // There is no connection to close.
    }
}
