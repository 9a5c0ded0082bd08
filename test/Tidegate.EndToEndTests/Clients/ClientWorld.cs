using System.Net;
using System.Security.Cryptography.X509Certificates;
using Tidegate.Edge.Interception;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Clients;

/// <summary>
/// Everything that a client can meet: a gateway with both edges before a cleartext and a TLS upstream. Egress: <c>plain.test</c> (cleartext upstream, base path
/// <c>/plain</c>), <c>opened.test</c> (intercepted, TLS upstream, base path <c>/opened</c>) and <c>localhost</c> (tunnels); ingress: <c>localhost/orders</c>.
/// </summary>
internal sealed class ClientWorld : IAsyncDisposable
{
    /// <summary>What the consumer presents.</summary>
    public const string Key = "billing-key-123";

    /// <summary>What the gateway presents to the provider in its place.</summary>
    public const string ProviderKey = "Bearer provider-key-456";

    private readonly TestCertificates _certificates;
    private readonly X509Certificate2 _certificate;

    private ClientWorld(TestCertificates certificates, X509Certificate2 certificate, string authority, CapturingUpstream cleartext, CapturingUpstream tls, TestGateway gateway)
    {
        _certificates = certificates;
        _certificate = certificate;
        Authority = authority;
        Cleartext = cleartext;
        Tls = tls;
        Gateway = gateway;
    }

    public TestGateway Gateway { get; }

    public CapturingUpstream Cleartext { get; }

    public CapturingUpstream Tls { get; }

    public IPEndPoint Egress => Gateway["egress"];

    public int IngressPort => Gateway["ingress"].Port;

    /// <summary>The proxy with the consumer's key as its password.</summary>
    public string Proxy => $"http://key:{Key}@{Egress}";

    /// <summary>PEM file of the gateway's CA, for intercepted hosts.</summary>
    public string Authority { get; }

    /// <summary>PEM file to trust the TLS upstream by, and a TLS ingress.</summary>
    public string Trust => At("upstream.pem");

    /// <summary>Trusts both.</summary>
    public X509ChainPolicy Trusted()
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.ImportFromPemFile(Authority);
        policy.CustomTrustStore.ImportFromPemFile(Trust);
        return policy;
    }

    /// <summary>A file in a directory that goes away with the world.</summary>
    public string At(string name) => Path.Combine(_certificates.Directory, name);

    public static async Task<ClientWorld> StartAsync(bool isIngressTls = false)
    {
        var certificates = new TestCertificates();
        var authority = CertificateAuthority.In(certificates.Directory);
        CertificateAuthority.Create(authority, TimeProvider.System).Dispose();
        var certificate = certificates.Create("upstream", "localhost", "opened.test");
        var cleartext = await CapturingUpstream.StartAsync();
        var tls = await CapturingUpstream.StartAsync(certificate);
        var ingressTls = isIngressTls ? $", tls: {{ certificate: {certificates.Directory}/upstream.pem, key: {certificates.Directory}/upstream.key }}" : "";
        var gateway = await TestGateway.StartAsync($$"""
            state_directory: {{certificates.Directory}}
            listeners:
              egress: { address: 127.0.0.1:0, intercept: true }
              ingress: { address: 127.0.0.1:0{{ingressTls}} }
            consumers: [{ name: billing, tenant: acme, environment: production, credentials: [{ api_key: {{Key}} }] }]
            apis:
              - name: plain
                direction: egress
                hosts: [plain.test]
                base_path: /plain
                authenticate: [api_key]
                credential: { header: Authorization, value: {{ProviderKey}} }
                upstream: { destinations: ["http://127.0.0.1:{{cleartext.Port}}"] }
              - name: opened
                direction: egress
                hosts: [opened.test]
                base_path: /opened
                authenticate: [api_key]
                credential: { header: Authorization, value: {{ProviderKey}} }
                upstream: { destinations: ["https://127.0.0.1:{{tls.Port}}"], tls: { authority: {{certificates.Directory}}/upstream.pem, server_name: opened.test } }
              - name: carried
                direction: egress
                hosts: [localhost]
                authenticate: [api_key]
                tunnel: verified
              - name: orders
                direction: ingress
                hosts: [localhost]
                path: /orders
                authenticate: [api_key]
                upstream: { destinations: ["http://127.0.0.1:{{cleartext.Port}}"] }
            """, TestContext.Current.CancellationToken);
        return new ClientWorld(certificates, certificate, authority.Certificate, cleartext, tls, gateway);
    }

    /// <summary>Waits for the records of so many exchanges, and is certain that there are no more.</summary>
    public async Task<IReadOnlyList<ExchangeRecord>> RecordsAsync(int count)
    {
        var records = await Gateway.RecordsAsync(count, TestContext.Current.CancellationToken);
        Assert.Equal(count, records.Count);
        return records;
    }

    /// <summary>The only request that came to an upstream must be this one, and must not carry what the consumer presented.</summary>
    public static ReceivedRequest Arrived(CapturingUpstream upstream, string method, string target, string host, string authorization = "")
    {
        var request = Assert.Single(upstream.Received);
        Assert.Equal((method, target, host, authorization), (request.Method, request.Target, request.Host, request.Field("Authorization")));
        Assert.All(request.Fields, field => Assert.DoesNotContain(Key, field.Value, StringComparison.Ordinal));
        Assert.DoesNotContain(request.Fields.Keys, name => name.StartsWith("Proxy-", StringComparison.OrdinalIgnoreCase) || name.Equals("X-Api-Key", StringComparison.OrdinalIgnoreCase));
        return request;
    }

    /// <summary>What the record of an exchange that was forwarded and answered with 200 must say.</summary>
    public static void Recorded(ExchangeRecord record, Direction direction, string api, string target, ProtocolVersion client, string method = "GET")
    {
        Assert.Equal((Outcome.Forwarded, 200, direction, api), (record.Outcome, record.Status, record.Direction, record.Api));
        Assert.Equal((method, target, client), (record.Method, record.Scheme + "://" + record.Host + record.Path, record.ClientProtocol));
        Assert.Equal(("billing", "acme", "production"), (record.Consumer.Name, record.Consumer.Tenant, record.Consumer.Environment));
        Assert.Equal(1, record.Attempts);
    }

    /// <summary>What the record of a tunnel to the TLS upstream must say: that it was one, where to, and that bytes went both ways.</summary>
    public void RecordedTunnel(ExchangeRecord record)
    {
        Assert.Equal((Outcome.Forwarded, 200, Direction.Egress, "carried"), (record.Outcome, record.Status, record.Direction, record.Api));
        Assert.Equal(("CONNECT", "localhost", Tls.Port, "billing"), (record.Method, record.Host, record.Port, record.Consumer.Name));
        Assert.True(record is { RequestBytes: > 100, ResponseBytes: > 100 }, record.ToString());
    }

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        await Cleartext.DisposeAsync();
        await Tls.DisposeAsync();
        _certificate.Dispose();
        _certificates.Dispose();
    }
}
