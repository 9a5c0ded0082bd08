using System.Net;

namespace Tidegate.Forwarding.SocketsHttp;

/// <summary>What an HTTP/3 connection depends on.</summary>
/// <param name="Address">One address of the destination, that was looked up and found to be none of ours.</param>
/// <param name="Port">1 to 65535.</param>
/// <param name="ServerName">The name in the TLS handshake.</param>
/// <param name="Tls">How the certificate is judged.</param>
/// <param name="AuthorityWritten">When the file of roots was written: new connections are to trust the new ones.</param>
/// <param name="IsSingle">One connection and no second beside it, because connections are bounded.</param>
internal readonly record struct Http3Key(IPAddress Address, int Port, string ServerName, UpstreamTls Tls, DateTime AuthorityWritten, bool IsSingle);
