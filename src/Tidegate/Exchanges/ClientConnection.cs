using System.Net;

namespace Tidegate.Exchanges;

/// <summary>What is known of the connection that a request came in on. Shared by all exchanges of the connection.</summary>
public sealed class ClientConnection
{
    /// <summary>The address of the peer of our socket: a client, or a proxy in front of us.</summary>
    public required IPAddress PeerAddress { get; init; }

    /// <summary><see cref="PeerAddress"/> as text, made once.</summary>
    public string PeerText => field ??= PeerAddress.ToString();

    /// <summary>The peer's port.</summary>
    public int PeerPort { get; init; }

    /// <summary>Our own end of the connection.</summary>
    public IPEndPoint? LocalEndPoint { get; init; }

    /// <summary>Whether the client spoke TLS to us, directly or inside an intercepted tunnel.</summary>
    public bool IsSecure { get; init; }

    /// <summary>The SNI name of the client's TLS handshake, lower case.</summary>
    public string? ServerName { get; init; }

    /// <summary>What answers on this connection say of the listener's HTTP/3 side (<c>Alt-Svc</c>, RFC 7838); null when there is none, or when this is it.</summary>
    public string? AlternativeService { get; init; }

    /// <summary>For requests inside an intercepted tunnel: the authority of its CONNECT. All of them go there and nowhere else.</summary>
    public ExchangeTarget? TunnelTarget { get; init; }

    /// <summary>For requests inside an intercepted tunnel: whom the CONNECT's credential identified.</summary>
    public Consumer? TunnelConsumer { get; init; }

    /// <summary>Whether a request has come in on it.</summary>
    public bool HasServed { get; set; }
}
