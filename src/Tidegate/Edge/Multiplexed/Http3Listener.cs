using System.Net;
using System.Net.Quic;
using System.Net.Security;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Tidegate.Exchanges;

namespace Tidegate.Edge.Multiplexed;

/// <summary>
/// The HTTP/3 side of a listener: the same port over UDP. A server beside the TCP one, not a part of it: it takes the number that TCP was given, which Kestrel
/// refuses to do within one server, and it stands alone whatever transport carries TCP.
/// </summary>
internal sealed class Http3Listener : IAsyncDisposable
{
    // RFC 9114 8.1 H3_EXCESSIVE_LOAD.
    private const long ExcessiveLoad = 0x107;

    private readonly WebApplication _host;
    private readonly EdgeServices _services;
    private readonly ConnectionCounter _connections;
    private readonly Func<string?, SslStreamCertificateContext> _certificateFor;
    private readonly IPEndPoint _endPoint;
    private ListenOptions? _options;

    /// <param name="endPoint">Address and port of the TCP side.</param>
    /// <param name="services">The listener's.</param>
    /// <param name="connections">The listener's: both sides count as one.</param>
    /// <param name="certificateFor">The certificate in force for an SNI name.</param>
    public Http3Listener(IPEndPoint endPoint, EdgeServices services, ConnectionCounter connections, Func<string?, SslStreamCertificateContext> certificateFor)
    {
        _endPoint = endPoint;
        _services = services;
        _connections = connections;
        _certificateFor = certificateFor;
        var limits = services.Settings().Limits;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration()
#pragma warning disable CA2252 // Of the transport only the number of streams is marked as preview; without it streams_per_connection would not hold on HTTP/3.
            .UseQuic(quic => quic.MaxBidirectionalStreamCount = limits.MaxStreamsPerConnection)
#pragma warning restore CA2252
            .ConfigureKestrel(kestrel =>
            {
                KestrelLimits.Apply(kestrel, limits);
                kestrel.Listen(endPoint, Configure);
            });
        _host = builder.Build();
    }

    /// <summary>Whether this machine can: .NET found a libmsquic that it can use, and it speaks TLS 1.3. Looking loads the library.</summary>
    public static bool IsSupported => (OperatingSystem.IsLinux() || OperatingSystem.IsMacOS() || OperatingSystem.IsWindows()) && QuicListener.IsSupported;

    /// <summary>Where it listens, once started.</summary>
    public IPEndPoint EndPoint => _options!.IPEndPoint!;

    /// <exception cref="ListenException">The port is in use on UDP.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Server.StartAsync(new MultiplexedApplication(_services, ProtocolVersion.Http3), cancellationToken);
        }
        catch (Exception refused) when (refused is IOException or SocketException or QuicException)
        {
            throw new ListenException($"HTTP/3 cannot listen on UDP {_endPoint}: {refused.Message}", refused);
        }
    }

    /// <summary>Stops accepting, tells clients to go away (GOAWAY), lets exchanges finish until cancelled, then closes.</summary>
    public Task DrainAsync(CancellationToken patience) => Server.StopAsync(patience);

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    private IServer Server => _host.Services.GetRequiredService<IServer>();

    private void Configure(ListenOptions options)
    {
        _options = options;
        options.Protocols = HttpProtocols.Http3;

        // Ours says so on the TCP side; here the client has arrived.
        options.DisableAltSvcHeader = true;
        options.UseHttps(new TlsHandshakeCallbackOptions
        {
            OnConnection = context =>
            {
                context.Connection.Features.Set(Client(context.Connection, context.ClientHelloInfo.ServerName));
                return new ValueTask<SslServerAuthenticationOptions>(new SslServerAuthenticationOptions
                {
                    ServerCertificateContext = _certificateFor(context.ClientHelloInfo.ServerName),
                    ApplicationProtocols = [SslApplicationProtocol.Http3],
                });
            },
        });
        ((IMultiplexedConnectionBuilder)options).Use(next => connection => ServeAsync(connection, next));
    }

    private async Task ServeAsync(MultiplexedConnectionContext connection, MultiplexedConnectionDelegate next)
    {
        var client = connection.Features.Get<ClientConnection>()!;
        if (!_connections.TryEnter(client.PeerAddress, _services.Settings().Limits))
        {
            connection.Features.Get<IProtocolErrorCodeFeature>()?.Error = ExcessiveLoad;
            connection.Abort(new ConnectionAbortedException("Too many connections."));
            return;
        }

        try
        {
            await next(new Http3Connection(connection, client, _services));
        }
        finally
        {
            _connections.Leave(client.PeerAddress);
        }
    }

    /// <summary>The address is the one that the handshake proved; QUIC lets a client move later (RFC 9000 9), and limits stay with where it began.</summary>
    private static ClientConnection Client(ConnectionContext connection, string serverName)
    {
        var peer = PeerAddress.Of(connection.RemoteEndPoint);
        return new ClientConnection
        {
            PeerAddress = peer.Address,
            PeerPort = peer.Port,
            LocalEndPoint = connection.LocalEndPoint as IPEndPoint,
            IsSecure = true,
            ServerName = serverName.Length == 0 ? null : serverName,
        };
    }
}
