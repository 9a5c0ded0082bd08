using System.Net;
using System.Net.Security;
using System.Net.Sockets;
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
using Tidegate.Edge.Interception;
using Tidegate.Edge.Multiplexed;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Edge;

/// <summary>
/// One address that the gateway listens on. Connections and TLS are Kestrel's; HTTP/1.1 is ours; HTTP/2, by ALPN or with prior
/// knowledge, is Kestrel's again, and so is HTTP/3 on the same port over UDP. A server for each listener, because its limits are its own.
/// </summary>
internal sealed class EdgeListener : IAsyncDisposable
{
    // A request that a client sent before it could know of the drain is on its way for half a round trip, after at most a moment of the client's own.
    private static readonly TimeSpan IdleGrace = TimeSpan.FromSeconds(1);

    private readonly WebApplication _host;
    private readonly DrainSignal _drain = new();
    private readonly ConnectionCounter _connections = new();
    private readonly EdgeServices _services;
    private readonly TimeProvider _time;
    private ListenOptions? _options;
    private ConnectionDelegate? _http2;
    private Http3Listener? _http3;
    private string? _alternativeService;
    private volatile ListenerState _state;

    public EdgeListener(ListenerSettings settings, ExchangeHandler handler, IExchangeRecorder recorder, ExchangeId ids, Deadlines deadlines, IConnectionListenerFactory? transport)
    {
        var time = deadlines.Time;
        _time = time;
        _state = new ListenerState(settings, time);
        var interceptor = new Interceptor(() => _state.Leaves, ServeProtocolAsync, recorder, settings.Limits, time);
        _services = new EdgeServices(settings.Direction, () => _state.Settings, handler, ids, deadlines, interceptor.RunAsync, _drain);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, settings));
        if (transport is not null)
        {
            // Kestrel asks the last one first.
            builder.Services.AddSingleton(transport);
        }

        _host = builder.Build();
    }

    public string Name => _state.Settings.Name;

    /// <summary>Where it really listens, once started: port 0 has become a number.</summary>
    public IPEndPoint EndPoint => _options!.IPEndPoint!;

    /// <summary>Where it serves HTTP/3, once started; null when it does not.</summary>
    public IPEndPoint? Http3EndPoint => _http3?.EndPoint;

    /// <summary>Whether it should serve HTTP/3 and cannot, because this machine has no libmsquic.</summary>
    public bool LacksHttp3 => _http3 is null && WantsHttp3;

    /// <summary>Connections open now, and refused so far because a limit was reached.</summary>
    public ConnectionCounter Connections => _connections;

    /// <exception cref="ListenException">The address is in use or not ours, or HTTP/3 must be served and cannot.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Server.StartAsync(new MultiplexedApplication(_services, ProtocolVersion.Http2), cancellationToken);
        }
        catch (Exception refused) when (refused is IOException or SocketException)
        {
            var reason = refused.InnerException is AddressInUseException ? "the address is in use" : (refused.InnerException ?? refused).Message;
            throw new ListenException($"{Name} cannot listen on {_state.Settings.Address}: {reason}. Set listeners.{Name}.address to another one.", refused);
        }

        if (WantsHttp3)
        {
            await StartHttp3Async(_state.Settings, cancellationToken);
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
        // In this order: whoever is told that its connection closes must not find the door open to a new one that nobody accepts.
        var stopping = Server.StopAsync(patience);
        _drain.Begin();
        stopping = Task.WhenAll(stopping, _http3?.DrainAsync(patience) ?? Task.CompletedTask);
        using (var ended = CancellationTokenSource.CreateLinkedTokenSource(patience))
        {
            await Task.WhenAny(stopping, Task.Delay(IdleGrace, _time, ended.Token));
            await ended.CancelAsync();
        }

        _drain.CloseIdle();
        await stopping;
    }

    public async ValueTask DisposeAsync()
    {
        if (_http3 is not null)
        {
            await _http3.DisposeAsync();
        }

        await _host.DisposeAsync();
        _drain.Dispose();
    }

    private IServer Server => _host.Services.GetRequiredService<IServer>();

    // HTTP/3 has no cleartext form.
    private bool WantsHttp3 => _state.Settings is { Http3: not Http3Mode.Off, Certificates.Count: > 0 };

    private async Task StartHttp3Async(ListenerSettings settings, CancellationToken cancellationToken)
    {
        if (Http3Listener.IsSupported)
        {
            _http3 = new Http3Listener(EndPoint, _services, _connections, serverName => _state.Certificates!.For(serverName));
            await _http3.StartAsync(cancellationToken);
            _alternativeService = AlternativeService.Http3On(settings.Http3AdvertisedPort ?? EndPoint.Port);
        }
        else if (settings.Http3 == Http3Mode.On)
        {
            throw new ListenException($"Listener '{settings.Name}' must serve HTTP/3, and this machine has no libmsquic; install it, or write http3: auto.");
        }
    }

    private void Configure(KestrelServerOptions kestrel, ListenerSettings settings)
    {
        KestrelLimits.Apply(kestrel, settings.Limits);
        kestrel.Listen(settings.Address, options => Configure(options, settings));
    }

    private void Configure(ListenOptions options, ListenerSettings settings)
    {
        _options = options;

        // What reaches Kestrel's own HTTP layer is HTTP/2 always.
        options.Protocols = HttpProtocols.Http2;

        // Before TLS: a connection that never ends its handshake holds a descriptor like any other, and one too many is not worth a signature.
        options.Use(next => connection => CountAsync(connection, next));
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

    private async Task CountAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var address = PeerAddress.Of(connection.RemoteEndPoint).Address;
        var limits = _state.Settings.Limits;
        if (!_connections.TryEnter(address, limits))
        {
            connection.Abort(new ConnectionAbortedException("Too many connections."));
            return;
        }

        try
        {
            await next(connection);
        }
        finally
        {
            _connections.Leave(address);
            ClosingConnection.Watch(connection, limits, _time);
        }
    }

    private async Task ServeAsync(ConnectionContext connection)
    {
        // Kestrel starts a connection on the thread pool; on our transport everything of it runs where its socket lives.
        if (connection.Features.Get<Reactor>() is { } reactor)
        {
            await reactor.SwitchAsync();
        }

        var tls = connection.Features.Get<ITlsHandshakeFeature>();
        var isHttp2 = tls is null
            ? await Http2Preface.IsNextAsync(connection, _state.Settings.Limits, _drain, _services.Deadlines)
            : connection.Features.Get<ISslStreamFeature>()?.SslStream.NegotiatedApplicationProtocol == SslApplicationProtocol.Http2;
        if (isHttp2 is null)
        {
            return;
        }

        var peer = PeerAddress.Of(connection.RemoteEndPoint);
        await ServeProtocolAsync(connection, new ClientConnection
        {
            PeerAddress = peer.Address,
            PeerPort = peer.Port,
            LocalEndPoint = connection.LocalEndPoint as IPEndPoint,
            IsSecure = tls is not null,
            ServerName = tls?.HostName,
            AlternativeService = _state.Settings.Http3 == Http3Mode.Off ? null : _alternativeService,
        }, isHttp2.Value);
    }

    private Task ServeProtocolAsync(ConnectionContext connection, ClientConnection client, bool isHttp2)
    {
        if (!isHttp2)
        {
            return new Http1Connection(connection, client, _services).RunAsync().AsTask();
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
