using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>The client's side of a flight: passes interim answers on to the client that waits for its head, and takes nothing else.</summary>
internal sealed class InterimWriter(ClientResponseWriter? client) : ClientResponseWriter
{
    public override bool HasStarted => false;

    public override long BodyBytesWritten => 0;

    public override async ValueTask WriteInformationalAsync(int status, HeaderList headers, CancellationToken cancellationToken)
    {
        if (client is null)
        {
            return;
        }

        try
        {
            await client.WriteInformationalAsync(status, headers, cancellationToken);
        }
        catch (Exception gone) when (gone is IOException or Microsoft.AspNetCore.Connections.ConnectionAbortedException)
        {
            // This client has gone; the others still wait for the answer.
            return;
        }
    }

    public override void Start(int status, HeaderList headers, long? contentLength) => throw NoClient();

    public override Memory<byte> GetMemory(int sizeHint = 0) => throw NoClient();

    public override void Advance(int count) => throw NoClient();

    public override ValueTask FlushAsync(CancellationToken cancellationToken) => throw NoClient();

    public override ValueTask CompleteAsync(HeaderList? trailers, CancellationToken cancellationToken) => throw NoClient();

    public override ValueTask<Stream> SwitchProtocolsAsync(int status, HeaderList headers, CancellationToken cancellationToken) => throw NoClient();

    public override void Abort()
    {
        // There is nothing to break off: each reader's own client is told by its relay.
    }

    public override void CloseAfterReply()
    {
        // The clients' connections are not this request's business.
    }

    private static InvalidOperationException NoClient() => new("A flight's answer goes into the store, not to a client.");
}
