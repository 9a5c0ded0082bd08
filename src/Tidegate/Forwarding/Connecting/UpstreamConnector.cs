using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Forwarding.Connecting;

/// <summary>Opens connections for both clients and for tunnels: name, TCP, TLS. Trouble is a <see cref="ConnectException"/> that knows its phase.</summary>
internal sealed class UpstreamConnector(ConnectionSource source, AddressResolver names, TimeProvider time)
{
    private static readonly List<SslApplicationProtocol> Either = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11];
    private static readonly List<SslApplicationProtocol> OnlyHttp2 = [SslApplicationProtocol.Http2];
    private static readonly List<SslApplicationProtocol> OnlyHttp1 = [SslApplicationProtocol.Http11];

    // A certificate that the peer left out is not fetched: what it points to is anybody's choice, and everybody else on the thread would wait for it.
    private static readonly X509ChainPolicy SystemRoots = new() { RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };

    private readonly ConnectionRace _race = new(source, time);
    private readonly ConcurrentDictionary<string, Authority> _authorities = new();

    /// <summary>Addresses that we listen on: connecting to one of them would make a loop.</summary>
    public IReadOnlyCollection<IPEndPoint> OwnEndpoints { get; set; } = [];

    /// <summary>TCP.</summary>
    /// <param name="host">Name or address.</param>
    /// <param name="port">1 to 65535.</param>
    /// <param name="home">The reactor that the connection shall belong to; null for any.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async ValueTask<ConnectionContext> ConnectAsync(string host, int port, Reactor? home, CancellationToken cancellationToken)
    {
        var addresses = await ResolveAsync(host, port, cancellationToken);
        try
        {
            return await _race.RunAsync(addresses, port, home, cancellationToken);
        }
        catch (Exception refused) when (refused is SocketException or IOException)
        {
            throw new ConnectException(FailureKind.ConnectFailed, refused);
        }
    }

    /// <summary>TCP and TLS. What was negotiated is the stream's <see cref="SslStream.NegotiatedApplicationProtocol"/>.</summary>
    public async ValueTask<(ConnectionContext Transport, SslStream Tls)> ConnectAsync(string host, int port, Reactor? home, string serverName, UpstreamTls tls, Alpn offer, CancellationToken cancellationToken)
    {
        var transport = await ConnectAsync(host, port, home, cancellationToken);
        var stream = new SslStream(new ConnectionStream(transport), leaveInnerStreamOpen: false);
        try
        {
            await stream.AuthenticateAsClientAsync(Options(serverName, tls, offer), cancellationToken);
            return (transport, stream);
        }
        catch (Exception refused)
        {
            // Also closes the transport.
            await stream.DisposeAsync();
            throw refused is AuthenticationException or IOException or SocketException or CryptographicException or UnauthorizedAccessException
                ? new ConnectException(FailureKind.TlsFailed, refused)
                : refused;
        }
    }

    /// <summary>Where a connection may go.</summary>
    /// <returns>At least one address, in the order of preference.</returns>
    /// <exception cref="ConnectException">There is none, or one is ours.</exception>
    public async ValueTask<IPAddress[]> ResolveAsync(string host, int port, CancellationToken cancellationToken)
    {
        var addresses = await names.ResolveAsync(host, cancellationToken);
        foreach (var address in addresses)
        {
            if (IsOwn(address, port))
            {
                throw new ConnectException(FailureKind.SelfConnection, null);
            }
        }

        return addresses;
    }

    /// <summary>What a peer's certificate is judged by. A copy for each handshake, because a handshake adds the peer's certificates to it.</summary>
    /// <exception cref="IOException">The file of roots cannot be read; also <see cref="UnauthorizedAccessException"/> and <see cref="CryptographicException"/>.</exception>
    public X509ChainPolicy ChainPolicy(UpstreamTls tls) => (tls.AuthorityFile is { } file ? Roots(file) : SystemRoots).Clone();

    private bool IsOwn(IPAddress address, int port)
    {
        foreach (var own in OwnEndpoints)
        {
            var everyAddress = own.Address.Equals(IPAddress.Any) || own.Address.Equals(IPAddress.IPv6Any);
            if (own.Port == port && (own.Address.Equals(address) || (everyAddress && IPAddress.IsLoopback(address))))
            {
                return true;
            }
        }

        return false;
    }

    private SslClientAuthenticationOptions Options(string serverName, UpstreamTls tls, Alpn offer)
    {
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = tls.ServerName ?? serverName,
            ApplicationProtocols = offer switch
            {
                Alpn.Http1 => OnlyHttp1,
                Alpn.Http2 => OnlyHttp2,
                _ => Either,
            },
            AllowRenegotiation = false,
            AllowTlsResume = true,
        };

        options.CertificateChainPolicy = ChainPolicy(tls);
        if (!tls.Verify)
        {
            options.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
        }

        return options;
    }

    /// <summary>Read again when the file was replaced, so that a new root needs no restart.</summary>
    private X509ChainPolicy Roots(string file)
    {
        var written = File.GetLastWriteTimeUtc(file);
        if (_authorities.TryGetValue(file, out var known) && known.Written == written)
        {
            return known.Policy;
        }

        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
        policy.CustomTrustStore.ImportFromPemFile(file);
        _authorities[file] = new Authority(written, policy);
        return policy;
    }

    private sealed record Authority(DateTime Written, X509ChainPolicy Policy);
}

/// <summary>Which protocols a TLS handshake offers.</summary>
internal enum Alpn
{
    Either,
    Http1,
    Http2,
}
