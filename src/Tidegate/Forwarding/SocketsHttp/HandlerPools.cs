using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Tidegate.Forwarding.Connecting;
using Tidegate.Forwarding.Http1;

namespace Tidegate.Forwarding.SocketsHttp;

/// <summary>
/// Upstream connections, one handler for each set of settings that a connection depends on. They are keyed by value, so a reload that
/// leaves those settings alone keeps the connections.
/// </summary>
internal sealed class HandlerPools(UpstreamConnector connector, TimeProvider time) : IDisposable
{
    private readonly ConcurrentDictionary<PoolKey, HttpMessageInvoker> _pools = new();

    public HttpMessageInvoker For(Upstream upstream) =>
        _pools.GetOrAdd(new PoolKey(upstream.Tls, upstream.Timeouts.Connect, upstream.MaxConnections), static (key, pools) => new HttpMessageInvoker(pools.CreateHandler(key)), this);

    public void Dispose()
    {
        foreach (var pool in _pools.Values)
        {
            pool.Dispose();
        }
    }

    private SocketsHttpHandler CreateHandler(PoolKey key) =>
        new()
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null,
            ConnectTimeout = key.ConnectTimeout,
            EnableMultipleHttp2Connections = true,
            MaxConnectionsPerServer = key.MaxConnections == 0 ? int.MaxValue : key.MaxConnections,
            PooledConnectionIdleTimeout = ConnectionPool.IdleTimeout,
            PooledConnectionLifetime = ConnectionPool.Lifetime,

            // Unread content up to this size is read away, because a new TLS handshake costs more.
            MaxResponseDrainSize = 64 * 1024,
            MaxResponseHeadersLength = 64,
            RequestHeaderEncodingSelector = static (_, request) => EncodingOf(request),
            ResponseHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
            ConnectCallback = (context, cancellationToken) => ConnectAsync(context, key, cancellationToken),
        };

    /// <summary>Asked for each field (Host is one always) when it is written: the only sign that a request has got its connection.</summary>
    private static Encoding EncodingOf(HttpRequestMessage request)
    {
        if (request.Options.TryGetValue(ConnectionRequest.Key, out var asked))
        {
            asked.IsWritten = true;
        }

        return Encoding.Latin1;
    }

    /// <summary>TCP, and for https TLS too, so that both clients connect alike. The handler takes a stream that is TLS already as it is.</summary>
    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, PoolKey key, CancellationToken cancellationToken)
    {
        var request = context.InitialRequestMessage;
        if (!request.Options.TryGetValue(ConnectionRequest.Key, out var asked))
        {
            throw new InvalidOperationException("A request without its connection's settings.");
        }

        if (asked.Take() is { } negotiated)
        {
            return negotiated;
        }

        var began = time.GetTimestamp();
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        Stream stream;
        if (request.RequestUri!.Scheme == "http")
        {
            stream = new ConnectionStream(await connector.ConnectAsync(host, port, null, cancellationToken));
        }
        else
        {
            var offer = request.Version.Major == 1 ? Alpn.Http1 : request.VersionPolicy == HttpVersionPolicy.RequestVersionExact ? Alpn.Http2 : Alpn.Either;
            stream = (await connector.ConnectAsync(host, port, null, asked.ServerName, key.Tls, offer, cancellationToken)).Tls;
        }

        asked.Ticks = time.GetTimestamp() - began;
        return stream;
    }

    private readonly record struct PoolKey(UpstreamTls Tls, TimeSpan ConnectTimeout, int MaxConnections);
}
