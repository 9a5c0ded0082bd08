namespace Tidegate.Exchanges;

/// <summary>
/// The client's side of one exchange: where the response goes. One implementation for our HTTP/1.1, one for Kestrel's HTTP/2 and
/// HTTP/3. Framing fields (Content-Length, Transfer-Encoding, Connection) are the writer's business and are ignored in header lists.
/// </summary>
/// <remarks>Called by one caller at a time. I/O errors surface as <see cref="IOException"/>: the client is gone.</remarks>
public abstract class ClientResponseWriter
{
    /// <summary>Whether the final response's head was handed over: from here on only its body, or an abort, can follow.</summary>
    public abstract bool HasStarted { get; }

    /// <summary>Body bytes handed over so far, without framing.</summary>
    public abstract long BodyBytesWritten { get; }

    /// <summary>Sends a 1xx head (not 101) at once.</summary>
    public abstract ValueTask WriteInformationalAsync(int status, HeaderList headers, CancellationToken cancellationToken);

    /// <summary>Buffers the final head. Nothing is sent before <see cref="FlushAsync"/> or <see cref="CompleteAsync"/>.</summary>
    /// <param name="status">200 to 599.</param>
    /// <param name="headers">End-to-end fields, in the order in which they are sent.</param>
    /// <param name="contentLength">What Content-Length will say; null when unknown, which means chunked or until-close framing.</param>
    /// <remarks>For HEAD, 204 and 304 no body may follow; <paramref name="contentLength"/> is then only announced.</remarks>
    public abstract void Start(int status, HeaderList headers, long? contentLength);

    /// <summary>Memory to put body bytes into, at least one byte; follow with <see cref="Advance"/>.</summary>
    public abstract Memory<byte> GetMemory(int sizeHint = 0);

    /// <summary>Hands over body bytes that were put into <see cref="GetMemory"/>'s memory. More than the announced length is a bug and throws.</summary>
    public abstract void Advance(int count);

    /// <summary>Sends what was handed over and waits while the client is slower than we are.</summary>
    public abstract ValueTask FlushAsync(CancellationToken cancellationToken);

    /// <summary>Ends the response properly. Fewer bytes than announced is a bug and throws.</summary>
    public abstract ValueTask CompleteAsync(HeaderList? trailers, CancellationToken cancellationToken);

    /// <summary>Sends a 101 (or the 2xx to a CONNECT) and gives the raw connection to the caller, for as long as the exchange lasts.</summary>
    public abstract ValueTask<Stream> SwitchProtocolsAsync(int status, HeaderList headers, CancellationToken cancellationToken);

    /// <summary>Ends the exchange so that the client cannot take what it got for complete: connection reset, RST_STREAM, no last chunk.</summary>
    public abstract void Abort();

    /// <summary>After the reply the connection is closed (HTTP/1.1) or told to go away, because what follows on it cannot be trusted.</summary>
    public abstract void CloseAfterReply();
}
