using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Tidegate.Edge.Http1;
using Tidegate.Edge.Http2;
using Tidegate.Edge.Interception;
using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>
/// One address that the gateway listens on. Connections and TLS are Kestrel's; HTTP/1.1 is ours; HTTP/2, by ALPN or with prior
/// knowledge, is Kestrel's again. A server for each listener, because its limits are its own.
/// </summary>
internal sealed class EdgeListener : IAsyncDisposable
{
    private readonly WebApplication _host;
    private readonly DrainSignal _drain = new();
    private readonly ConnectionCounter _connections = new();
    private readonly EdgeServices _services;
    private readonly TimeProvider _time;
    private ListenOptions? _options;
    private ConnectionDelegate? _http2;
    private volatile ListenerState _state;

    public EdgeListener(ListenerSettings settings, ExchangeHandler handler, IExchangeRecorder recorder, ExchangeId ids, TimeProvider time)
    {
        _time = time;
        _state = new ListenerState(settings, time);
        var interceptor = new Interceptor(() => _state.Leaves, ServeProtocolAsync, recorder, settings.Limits, time);
        _services = new EdgeServices(settings.Direction, () => _state.Settings, handler, ids, time, interceptor.RunAsync, _drain);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, settings));
        _host = builder.Build();
    }

    public string Name => _state.Settings.Name;

    /// <summary>Where it really listens, once started: port 0 has become a number.</summary>
    public IPEndPoint EndPoint => _options!.IPEndPoint!;

    /// <summary>Connections open now, and refused so far because a limit was reached.</summary>
    public ConnectionCounter Connections => _connections;

    /// <exception cref="ListenException">The address is in use or not ours.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Server.StartAsync(new Http2Application(_services), cancellationToken);
        }
        catch (Exception refused) when (refused is IOException or SocketException)
        {
            throw new ListenException(refused.Message, refused);
        }
    }

    /// <summary>Puts limits, trusted proxies and certificates in force, read anew from their files. Address and the choice between TLS and cleartext stay.</summary>
    public void Update(ListenerSettings settings)
    {
        var old = _state.Settings;
        var canSwitch = (settings.Certificates.Count > 0) == (old.Certificates.Count > 0);
        _state = new ListenerState(canSwitch ? settings : settings with { Certificates = old.Certificates }, _time);
    }

    /// <summary>Stops accepting, lets exchanges finish until cancelled, then closes.</summary>
    public async Task DrainAsync(CancellationToken patience)
    {
        _drain.Begin();
        await Server.StopAsync(patience);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        _drain.Dispose();
    }

    private IServer Server => _host.Services.GetRequiredService<IServer>();

    private void Configure(KestrelServerOptions kestrel, ListenerSettings settings)
    {
        var limits = settings.Limits;
        kestrel.AddServerHeader = false;

        // Bytes stay what they are, in both directions.
        kestrel.RequestHeaderEncodingSelector = static _ => Encoding.Latin1;
        kestrel.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;

        // Inside a tunnel the outer connection's scheme is not the requests'. Nobody reads Kestrel's: the target is canonicalised from the connection.
        kestrel.AllowAlternateSchemes = true;
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.MaxRequestHeaderCount = limits.MaxHeaderCount;
        kestrel.Limits.MaxRequestHeadersTotalSize = limits.MaxHeadBytes;
        kestrel.Limits.MaxRequestLineSize = Math.Min(limits.MaxTargetBytes + 256, limits.MaxHeadBytes);
        kestrel.Limits.RequestHeadersTimeout = limits.HeaderTimeout;
        kestrel.Limits.KeepAliveTimeout = limits.IdleTimeout;
        kestrel.Limits.MinRequestBodyDataRate = limits.MinBodyBytesPerSecond == 0 ? null : new MinDataRate(limits.MinBodyBytesPerSecond, limits.BodyGrace);
        kestrel.Limits.Http2.MaxStreamsPerConnection = limits.MaxStreamsPerConnection;
        kestrel.Limits.Http2.MaxRequestHeaderFieldSize = limits.MaxHeadBytes;
        kestrel.Listen(settings.Address, options => Configure(options, settings));
    }

    private void Configure(ListenOptions options, ListenerSettings settings)
    {
        _options = options;

        // What reaches Kestrel's own HTTP layer is HTTP/2 always.
        options.Protocols = HttpProtocols.Http2;
        if (settings.Certificates.Count > 0)
        {
            options.UseHttps(new TlsHandshakeCallbackOptions
            {
                HandshakeTimeout = settings.Limits.HeaderTimeout,
                OnConnection = context => new ValueTask<SslServerAuthenticationOptions>(new SslServerAuthenticationOptions
                {
                    ServerCertificateContext = _state.Certificates!.For(context.ClientHelloInfo.ServerName),
                    ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
                    AllowRenegotiation = false,
                }),
            });
        }

        options.Use(next =>
        {
            _http2 = next;
            return ServeAsync;
        });
    }

    private async Task ServeAsync(ConnectionContext connection)
    {
        var peer = connection.RemoteEndPoint as IPEndPoint ?? new IPEndPoint(IPAddress.None, 0);
        var limits = _state.Settings.Limits;
        if (!_connections.TryEnter(peer.Address, limits))
        {
            connection.Abort(new ConnectionAbortedException("Too many connections."));
            return;
        }

        try
        {
            var tls = connection.Features.Get<ITlsHandshakeFeature>();
            var isHttp2 = tls is null
                ? await Http2Preface.IsNextAsync(connection, limits, _time)
                : connection.Features.Get<ISslStreamFeature>()?.SslStream.NegotiatedApplicationProtocol == SslApplicationProtocol.Http2;
            await ServeProtocolAsync(connection, new ClientConnection
            {
                PeerAddress = peer.Address,
                PeerPort = peer.Port,
                LocalEndPoint = connection.LocalEndPoint as IPEndPoint,
                IsSecure = tls is not null,
                ServerName = tls?.HostName,
            }, isHttp2);
        }
        finally
        {
            _connections.Leave(peer.Address);
        }
    }

    private Task ServeProtocolAsync(ConnectionContext connection, ClientConnection client, bool isHttp2)
    {
        if (!isHttp2)
        {
            return new Http1Connection(connection, client, _services).RunAsync();
        }

        connection.Features.Set(client);
        return _http2!(connection);
    }

    /// <summary>Settings with what was read from their files: replaced together.</summary>
    private sealed class ListenerState(ListenerSettings settings, TimeProvider time)
    {
        public ListenerSettings Settings => settings;

        public ServedCertificates? Certificates { get; } = settings.Certificates.Count == 0 ? null : new ServedCertificates(settings.Certificates);

        public LeafCertificates? Leaves { get; } = settings.Authority is null ? null : new LeafCertificates(settings.Authority, time);
    }
}
