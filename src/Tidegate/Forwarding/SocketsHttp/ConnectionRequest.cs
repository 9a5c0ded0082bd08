using System.Net.Security;
using System.Runtime.CompilerServices;

namespace Tidegate.Forwarding.SocketsHttp;

/// <summary>What a request tells the callback that opens a connection for it, and the other way round. Apart from the exchange, which may be over when a connection is there.</summary>
/// <param name="serverName">For the TLS handshake.</param>
/// <param name="negotiated">A connection on which HTTP/2 was agreed already.</param>
internal sealed class ConnectionRequest(string serverName, SslStream? negotiated) : IAsyncDisposable
{
    public static readonly HttpRequestOptionsKey<ConnectionRequest> Key = new("connection");

    // In a box because ownership moves: the analyzer takes a field for something that this object disposes.
    private readonly StrongBox<SslStream?> _negotiated = new(negotiated);
    private long _ticks;
    private volatile bool _isWritten;

    public string ServerName => serverName;

    /// <summary>Ticks that opening took; 0 when another connection served.</summary>
    public long Ticks { get => Interlocked.Read(ref _ticks); set => Interlocked.Exchange(ref _ticks, value); }

    /// <summary>A connection was found, and the request's head is being written to it.</summary>
    public bool IsWritten { get => _isWritten; set => _isWritten = value; }

    /// <summary>The connection that is there already; whoever takes it owns it.</summary>
    public SslStream? Take() => Interlocked.Exchange(ref _negotiated.Value, null);

    /// <summary>Closes what nobody took: the handler had another.</summary>
    public ValueTask DisposeAsync() => Take()?.DisposeAsync() ?? default;
}
