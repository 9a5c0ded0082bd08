using Tidegate.Exchanges;

namespace Tidegate.Policies.Hedge;

/// <summary>The client's side of one of several requests: nobody knows yet whether its answer is the client's, so interim answers are not passed on.</summary>
internal sealed class UnheardClient : ClientResponseWriter
{
    public static readonly UnheardClient Instance = new();

    public override bool HasStarted => false;

    public override long BodyBytesWritten => 0;

    public override ValueTask WriteInformationalAsync(int status, HeaderList headers, CancellationToken cancellationToken) => default;

    public override void Start(int status, HeaderList headers, long? contentLength) => throw NoClient();

    public override Memory<byte> GetMemory(int sizeHint = 0) => throw NoClient();

    public override void Advance(int count) => throw NoClient();

    public override ValueTask FlushAsync(CancellationToken cancellationToken) => throw NoClient();

    public override ValueTask CompleteAsync(HeaderList? trailers, CancellationToken cancellationToken) => throw NoClient();

    public override ValueTask<Stream> SwitchProtocolsAsync(int status, HeaderList headers, CancellationToken cancellationToken) => throw NoClient();

    public override void Abort()
    {
        // There is nothing to break off: the client is told by the relay of its own exchange.
    }

    public override void CloseAfterReply()
    {
        // The client's connection is not this request's business.
    }

    private static InvalidOperationException NoClient() => new("The answer of one of several requests goes onto the client's exchange, not to the client.");
}
