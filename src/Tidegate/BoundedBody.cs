using Tidegate.Exchanges;

namespace Tidegate;

/// <summary>Content that did not announce its length, held to the API's <c>max_request_body</c> while it streams.</summary>
internal sealed class BoundedBody(MessageBody inner, long maxBytes) : MessageBody
{
    private static readonly Failure TooLarge = new(FailureSource.Client, FailureKind.ClientBodyTooLarge, Retryable: false, "The request's content is larger than this API's max_request_body.");

    private long _read;

    public override long? Length => inner.Length;

    public override HeaderList? Trailers => inner.Trailers;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var read = await inner.ReadAsync(buffer, cancellationToken);
        _read += read;
        return _read <= maxBytes ? read : throw new MessageBodyException(TooLarge);
    }

    public override ValueTask DisposeAsync() => inner.DisposeAsync();
}
