using System.Net;
using System.Security.Cryptography.X509Certificates;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Tidegate.Edge.Interception;
using Tidegate.EndToEndTests.Clients.Talking;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Clients;

/// <summary>A gRPC client and a gRPC server, with the gateway between them in one of the ways that gRPC can go through it.</summary>
internal sealed class GrpcWorld : IAsyncDisposable
{
    public const string CleartextIngress = "h2c ingress";
    public const string TlsIngress = "TLS ingress";
    public const string Intercepted = "intercepted";

    private const string Key = "billing-key-123";

    private readonly TestCertificates _certificates = new();
    private readonly X509Certificate2 _certificate;
    private readonly WebApplication _server;
    private readonly string _way;
    private readonly string _key;
    private readonly List<IDisposable> _clients = [];
    private TestGateway? _gateway;

    private GrpcWorld(string way, string key)
    {
        (_way, _key) = (way, key);
        _certificate = _certificates.Create("upstream", "localhost", "talk.test");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(Log).AddGrpc();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            if (IsUpstreamTls)
            {
                listen.UseHttps(_certificate);
            }
        }));
        _server = builder.Build();
        _server.MapGrpcService<TalkService>();
    }

    public TalkService.Log Log { get; } = new();

    public Talk.TalkClient Client { get; private set; } = null!;

    // One of the ingress ways has a cleartext HTTP/2 upstream, so that both kinds are there.
    private bool IsUpstreamTls => _way != CleartextIngress;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task<GrpcWorld> StartAsync(string way, string key = Key)
    {
        var world = new GrpcWorld(way, key);
        await world._server.StartAsync(Cancellation);
        var authority = CertificateAuthority.In(world._certificates.Directory);
        CertificateAuthority.Create(authority, TimeProvider.System).Dispose();
        world._gateway = await TestGateway.StartAsync(world.Configuration(), Cancellation);
        world.Client = world.Connect(authority.Certificate);
        return world;
    }

    /// <summary>Waits for the record of the only call.</summary>
    public async Task<ExchangeRecord> RecordAsync(string method)
    {
        // Through a proxy the client is asked for its key first.
        var count = 1 + (_way == Intercepted ? 1 : 0);
        var records = await _gateway!.RecordsAsync(count, Cancellation);
        Assert.Equal(count, records.Count);
        return Checked(records[^1], method);
    }

    /// <summary>Waits for the record of a call, of however many others there are records before.</summary>
    public async Task<ExchangeRecord> RecordedAsync(string method)
    {
        for (var count = 1; ; count++)
        {
            var records = await _gateway!.RecordsAsync(count, Cancellation);
            if (records.Any(record => record.Path.EndsWith("/" + method, StringComparison.Ordinal)))
            {
                return Checked(records.First(record => record.Path.EndsWith("/" + method, StringComparison.Ordinal)), method);
            }
        }
    }

    private ExchangeRecord Checked(ExchangeRecord record, string method)
    {
        Assert.Equal((_way == Intercepted ? Direction.Egress : Direction.Ingress, "talk", "billing"), (record.Direction, record.Api, record.Consumer.Name));
        Assert.Equal(("POST", "/tidegate.test.Talk/" + method, ProtocolVersion.Http2), (record.Method, record.Path, record.ClientProtocol));

        // Without an answer nobody knows.
        Assert.Equal(record.Outcome == Outcome.Forwarded ? ProtocolVersion.Http2 : ProtocolVersion.None, record.UpstreamProtocol);
        return record;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
        {
            client.Dispose();
        }

        await _gateway!.DisposeAsync();
        await _server.DisposeAsync();
        _certificate.Dispose();
        _certificates.Dispose();
    }

    private string Configuration()
    {
        var port = new Uri(_server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;
        var directory = _certificates.Directory;
        var upstream = $"{{ destinations: [\"{(IsUpstreamTls ? "https" : "http")}://127.0.0.1:{port}\"]{(IsUpstreamTls ? $", tls: {{ authority: {directory}/upstream.pem, server_name: talk.test }}" : "")} }}";
        var tls = _way == TlsIngress ? $", tls: {{ certificate: {directory}/upstream.pem, key: {directory}/upstream.key }}" : "";
        return $$"""
            state_directory: {{directory}}
            listeners: { egress: { address: 127.0.0.1:0, intercept: true }, ingress: { address: 127.0.0.1:0{{tls}} } }
            consumers: [{ name: billing, credentials: [{ api_key: {{Key}} }] }]
            apis:
              - { name: talk, direction: {{(_way == Intercepted ? "egress, hosts: [talk.test]" : "ingress")}}, authenticate: [api_key], credential: { header: Authorization, value: provider }, upstream: {{upstream}} }
            """;
    }

    private Talk.TalkClient Connect(string authority)
    {
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.ImportFromPemFile(authority);
        trust.CustomTrustStore.ImportFromPemFile(Path.Combine(_certificates.Directory, "upstream.pem"));
        var handler = new SocketsHttpHandler
        {
            UseProxy = _way == Intercepted,
            Proxy = new WebProxy($"http://{_gateway!["egress"]}") { Credentials = new NetworkCredential("key", _key) },
            SslOptions = { CertificateChainPolicy = trust },
        };
        var client = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(60) };
        if (_way != Intercepted)
        {
            client.DefaultRequestHeaders.Add("X-Api-Key", _key);
        }

        var address = _way switch
        {
            Intercepted => "https://talk.test",
            TlsIngress => $"https://localhost:{_gateway["ingress"].Port}",
            _ => $"http://localhost:{_gateway["ingress"].Port}",
        };
        var channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions { HttpClient = client });
        _clients.Add(channel);
        _clients.Add(client);
        return new Talk.TalkClient(channel);
    }
}
