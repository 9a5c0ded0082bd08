using Tidegate.Forwarding.Connecting;

namespace Tidegate.Forwarding.Http1;

/// <summary>What a connection depends on. Equal keys share connections, whatever the configuration's version; anything else of an upstream may change under them.</summary>
/// <param name="IsSecure">Over TLS.</param>
/// <param name="Host">Name or address.</param>
/// <param name="Port">1 to 65535.</param>
/// <param name="ServerName">The name in the TLS handshake; empty over cleartext.</param>
/// <param name="Tls">How the certificate is judged.</param>
/// <param name="Alpn">What the handshake offers.</param>
/// <param name="MaxConnections">0 is unbounded.</param>
internal readonly record struct PoolKey(bool IsSecure, string Host, int Port, string ServerName, UpstreamTls Tls, Alpn Alpn, int MaxConnections);
