using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Tidegate.Edge.Http1;
using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>The gateway's listeners on Kestrel's connection layer. No ASP.NET middleware, routing or DI is on the traffic's path.</summary>
internal sealed class EdgeServer : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly DrainSignal _drain = new();
    private readonly List<(ListenerSettings Settings, ListenOptions Options)> _listeners = [];
    private readonly List<X509Certificate2> _certificates = [];
    private volatile IReadOnlyDictionary<string, ListenerSettings> _settings;

    public EdgeServer(IReadOnlyList<ListenerSettings> listeners, ExchangeHandler handler, ExchangeId ids, TimeProvider time)
    {
        _settings = listeners.ToDictionary(listener => listener.Name);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            foreach (var listener in listeners)
            {
                kestrel.Listen(listener.Address, options => Configure(options, listener, handler, ids, time));
            }
        });
        _application = builder.Build();
    }

    /// <summary>Where each listener really listens, once started: port 0 has become a number.</summary>
    public IReadOnlyList<(string Name, IPEndPoint EndPoint)> Endpoints => [.. _listeners.Select(listener => (listener.Settings.Name, listener.Options.IPEndPoint!))];

    /// <summary>Listens.</summary>
    /// <exception cref="ListenException">An address is in use or not ours.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _application.StartAsync(cancellationToken);
        }
        catch (Exception refused) when (refused is IOException or SocketException)
        {
            throw new ListenException(refused.Message, refused);
        }
    }

    /// <summary>Puts new limits and trusted proxies in force, for open connections too. Addresses stay as they are until the next start.</summary>
    public void Update(IReadOnlyList<ListenerSettings> listeners) => _settings = listeners.ToDictionary(listener => listener.Name);

    /// <summary>Stops accepting, lets exchanges finish for as long as given, then closes.</summary>
    public async Task DrainAsync(TimeSpan limit, TimeProvider time)
    {
        _drain.Begin();
        using var patience = new CancellationTokenSource(limit, time);
        await _application.StopAsync(patience.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _application.DisposeAsync();
        _drain.Dispose();
        _certificates.ForEach(certificate => certificate.Dispose());
    }

    private void Configure(ListenOptions options, ListenerSettings listener, ExchangeHandler handler, ExchangeId ids, TimeProvider time)
    {
        _listeners.Add((listener, options));
        options.Protocols = HttpProtocols.Http1;
        if (listener.Certificates.Count > 0)
        {
            var certificates = listener.Certificates.Select(files => X509Certificate2.CreateFromPemFile(files.Certificate, files.Key)).ToArray();
            _certificates.AddRange(certificates);
            options.UseHttps(new HttpsConnectionAdapterOptions
            {
                HandshakeTimeout = listener.Limits.HeaderTimeout,
                ServerCertificateSelector = (_, name) => Array.Find(certificates, certificate => name is not null && certificate.MatchesHostname(name)) ?? certificates[0],
            });
        }

        var counter = new ConnectionCounter();
        var services = new Http1Services(listener.Direction, () => _settings.GetValueOrDefault(listener.Name, listener), handler, ids, time, Intercept: null, _drain);
        options.Run(connection => ServeAsync(connection, counter, services));
    }

    private static async Task ServeAsync(ConnectionContext connection, ConnectionCounter counter, Http1Services services)
    {
        var peer = connection.RemoteEndPoint as IPEndPoint ?? new IPEndPoint(IPAddress.None, 0);
        if (!counter.TryEnter(peer.Address, services.Settings().Limits))
        {
            connection.Abort(new ConnectionAbortedException("Too many connections."));
            return;
        }

        try
        {
            var tls = connection.Features.Get<ITlsHandshakeFeature>();
            await new Http1Connection(connection, new ClientConnection
            {
                PeerAddress = peer.Address,
                PeerPort = peer.Port,
                LocalEndPoint = connection.LocalEndPoint as IPEndPoint,
                IsSecure = tls is not null,
                ServerName = tls?.HostName,
            }, services).RunAsync();
        }
        finally
        {
            counter.Leave(peer.Address);
        }
    }
}
