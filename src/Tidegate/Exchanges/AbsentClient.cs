namespace Tidegate.Exchanges;

/// <summary>
/// The client's side of an exchange that has none of its own: a cache's flight, one of several requests for the same call. Its answer is taken from it as a value, so
/// nothing is ever written here. Interim answers go nowhere.
/// </summary>
internal class AbsentClient : ClientResponseWriter
{
    public static readonly AbsentClient Instance = new();

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
        // There is nothing to break off: clients are told by the relays of their own exchanges.
    }

    public override void CloseAfterReply()
    {
        // The clients' connections are not this exchange's business.
    }

    private static InvalidOperationException NoClient() => new("This exchange has no client: its answer is taken from it, not written.");
}
