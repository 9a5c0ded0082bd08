using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Forwarding;

/// <summary>
/// Upstream connections, one handler for each set of settings that a connection depends on. They are keyed by value, so a reload that
/// leaves those settings alone keeps the connections.
/// </summary>
internal sealed class ConnectionPools(TimeProvider time) : IDisposable
{
    public static readonly HttpRequestOptionsKey<Exchange> ExchangeKey = new("exchange");

    private readonly ConcurrentDictionary<PoolKey, HttpMessageInvoker> _pools = new();

    /// <summary>Addresses that we listen on: connecting to one of them would make a loop.</summary>
    public IReadOnlyCollection<IPEndPoint> OwnEndpoints { get; set; } = [];

    public HttpMessageInvoker For(Upstream upstream) =>
        _pools.GetOrAdd(new PoolKey(upstream.Tls, upstream.Timeouts.Connect, upstream.MaxConnections), static (key, pools) => new HttpMessageInvoker(pools.CreateHandler(key)), this);

    /// <summary>Opens a TCP connection; trouble is a <see cref="ConnectException"/> that knows its phase.</summary>
    public async ValueTask<NetworkStream> ConnectAsync(string host, int port, CancellationToken cancellationToken)
    {
        IPAddress[] addresses;
        try
        {
            addresses = IPAddress.TryParse(host, out var literal) ? [literal] : await Dns.GetHostAddressesAsync(host, cancellationToken);
        }
        catch (SocketException unknown)
        {
            throw new ConnectException(FailureKind.DnsFailed, unknown);
        }

        foreach (var address in addresses)
        {
            if (OwnEndpoints.Contains(new IPEndPoint(address, port)) || OwnEndpoints.Contains(new IPEndPoint(address.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, port)) && IPAddress.IsLoopback(address))
            {
                throw new ConnectException(FailureKind.SelfConnection, null);
            }
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (SocketException refused)
        {
            socket.Dispose();
            throw new ConnectException(FailureKind.ConnectFailed, refused);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        foreach (var pool in _pools.Values)
        {
            pool.Dispose();
        }
    }

    private SocketsHttpHandler CreateHandler(PoolKey key)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null,
            ConnectTimeout = key.ConnectTimeout,
            EnableMultipleHttp2Connections = true,
            MaxConnectionsPerServer = key.MaxConnections == 0 ? int.MaxValue : key.MaxConnections,

            // Below the 60 s after which most servers hang up: we close first, so a request never meets a closing connection.
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(55),

            // A name's addresses change; a busy connection would never notice.
            PooledConnectionLifetime = TimeSpan.FromMinutes(15),

            // Unread content up to this size is read away, because a new TLS handshake costs more.
            MaxResponseDrainSize = 64 * 1024,
            MaxResponseHeadersLength = 64,
            RequestHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
            ResponseHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
            ConnectCallback = async (context, cancellationToken) =>
            {
                var began = time.GetTimestamp();
                if (context.InitialRequestMessage.Options.TryGetValue(ExchangeKey, out var exchange))
                {
                    exchange.Timings.Connecting = -began;
                }

                return await ConnectAsync(context.DnsEndPoint.Host, context.DnsEndPoint.Port, cancellationToken);
            },
            PlaintextStreamFilter = (context, _) =>
            {
                // Runs after TLS: name, TCP and TLS are done.
                if (context.InitialRequestMessage.Options.TryGetValue(ExchangeKey, out var exchange) && exchange.Timings.Connecting < 0)
                {
                    exchange.Timings.Connecting += time.GetTimestamp();
                }

                return new(context.PlaintextStream);
            },
        };
        handler.SslOptions = TlsOptions(key.Tls);
        return handler;
    }

    private static SslClientAuthenticationOptions TlsOptions(UpstreamTls tls)
    {
        var options = new SslClientAuthenticationOptions();
        if (tls.ServerName is { } name)
        {
            options.TargetHost = name;
        }

        if (!tls.Verify)
        {
            options.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
        }
        else if (tls.AuthorityFile is { } file)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.ImportFromPemFile(file);
            options.CertificateChainPolicy = policy;
        }

        return options;
    }

    private readonly record struct PoolKey(UpstreamTls Tls, TimeSpan ConnectTimeout, int MaxConnections);
}

/// <summary>A connection could not be opened.</summary>
internal sealed class ConnectException(FailureKind kind, Exception? inner) : IOException(kind.Code, inner)
{
    public FailureKind Kind { get; } = kind;
}
