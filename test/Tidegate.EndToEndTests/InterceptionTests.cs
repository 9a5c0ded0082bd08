using System.Diagnostics;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Tidegate.Edge.Interception;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>CONNECT with interception: TLS ends at the gateway with a certificate of its CA, and rules hold for what is inside.</summary>
public sealed class InterceptionTests : IDisposable
{
    private readonly TestCertificates _certificates = new();
    private readonly string _authority;

    public InterceptionTests()
    {
        var files = CertificateAuthority.In(_certificates.Directory);
        CertificateAuthority.Create(files, TimeProvider.System).Dispose();
        _authority = files.Certificate;
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("2.0", HttpProtocols.Http1)]
    [InlineData("1.1", HttpProtocols.Http1AndHttp2)]
    public async Task Rules_and_credentials_apply_inside_the_tunnel(string clientVersion, HttpProtocols upstreamProtocols)
    {
        using var certificate = _certificates.Create("upstream", "api.test");
        await using var upstream = await EchoUpstream.StartAsync(certificate, upstreamProtocols);
        await using var gateway = await TestGateway.StartAsync(Egress(upstream.Port), Cancellation);
        using var client = Client(gateway);

        using var answer = await client.SendAsync(Request("https://api.test/v1/charges?limit=1", clientVersion), Cancellation);
        using var refused = await client.SendAsync(Request("https://api.test/v1/charges", clientVersion, HttpMethod.Delete), Cancellation);

        Assert.Contains("GET /v1/charges?limit=1", await answer.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        Assert.Contains("key=Bearer provider-key", await answer.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, refused.StatusCode);

        // The client sends its key after a 407, which is a record of its own; the CONNECT that led here is not.
        var records = await gateway.RecordsAsync(3, Cancellation);
        Assert.Equal("credential_missing", records[0].Code);
        Assert.All(records.Skip(1), record => Assert.Equal(("api", "billing", "https"), (record.Api, record.Consumer.Name, record.Scheme)));
    }

    [Fact]
    public async Task Opening_a_tunnel_is_no_call_and_is_not_counted_as_one()
    {
        using var certificate = _certificates.Create("upstream", "api.test");
        await using var upstream = await EchoUpstream.StartAsync(certificate);
        await using var gateway = await TestGateway.StartAsync(Egress(upstream.Port) + "\n    limits: [{ rate: 2/m }, { concurrency: 1 }]", Cancellation);
        using var client = Client(gateway);

        foreach (var expected in (HttpStatusCode[])[HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.TooManyRequests])
        {
            using var answer = await client.SendAsync(Request("https://api.test/v1/charges", "1.1"), Cancellation);
            Assert.Equal(expected, answer.StatusCode);
            await answer.Content.ReadAsStringAsync(Cancellation);
        }
    }

    [Fact]
    public async Task Without_the_key_the_connect_is_refused_with_a_challenge()
    {
        await using var gateway = await TestGateway.StartAsync(Egress(1), Cancellation);
        using var client = Client(gateway, key: null);

        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => client.GetStringAsync("https://api.test/", Cancellation));

        Assert.Contains("407", refused.Message, StringComparison.Ordinal);
        Assert.Equal("credential_missing", (await gateway.RecordsAsync(1, Cancellation))[0].Code);
    }

    [Fact]
    public async Task A_client_that_does_not_trust_the_authority_leaves_one_record_that_says_so()
    {
        await using var gateway = await TestGateway.StartAsync(Egress(1), Cancellation);
        using var client = Client(gateway, trusts: false);

        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetStringAsync("https://api.test/", Cancellation));

        // The first is the 407 that makes the client send its key.
        Assert.Equal("interception_handshake_failed", (await gateway.RecordsAsync(2, Cancellation))[1].Code);
    }

    [Fact]
    public async Task Curl_trusts_the_authority_file_over_http1_and_http2()
    {
        using var certificate = _certificates.Create("upstream", "api.test");
        await using var upstream = await EchoUpstream.StartAsync(certificate);
        await using var gateway = await TestGateway.StartAsync(Egress(upstream.Port), Cancellation);

        foreach (var version in (string[])["--http1.1", "--http2"])
        {
            var answer = await RunAsync("curl", ["-sS", version, "-x", $"http://any:{Key}@{gateway["egress"]}", "--cacert", _authority, "-w", " %{http_version}", "https://api.test/from-curl"]);
            Assert.StartsWith("GET /from-curl HTTP/1.1 host=api.test", answer, StringComparison.Ordinal);
            Assert.EndsWith(version == "--http2" ? " 2" : " 1.1", answer, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_tunnel_cannot_be_used_for_another_host_than_its_connect_named()
    {
        using var certificate = _certificates.Create("upstream", "api.test");
        await using var upstream = await EchoUpstream.StartAsync(certificate);
        await using var gateway = await TestGateway.StartAsync(Egress(upstream.Port), Cancellation);

        var answer = await RunAsync("curl", ["-sS", "-x", $"http://any:{Key}@{gateway["egress"]}", "--cacert", _authority, "-H", "Host: other.test", "-o", "/dev/null", "-w", "%{http_code}", "https://api.test/"]);

        Assert.Equal("421", answer);
    }

    [Fact]
    public void The_authoritys_key_is_for_its_owner_only_and_never_overwritten()
    {
        var files = CertificateAuthority.In(_certificates.Directory);

        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(files.Key));
        }

        Assert.Throws<IOException>(() => CertificateAuthority.Create(files, TimeProvider.System));
    }

    public void Dispose() => _certificates.Dispose();

    private const string Key = "billing-key-123";

    private string Egress(int upstreamPort) => $$"""
        state_directory: {{_certificates.Directory}}
        listeners: { egress: { address: 127.0.0.1:0, intercept: true } }
        consumers: [{ name: billing, credentials: [{ api_key: {{Key}} }] }]
        apis:
          - name: api
            direction: egress
            hosts: [api.test]
            authenticate: [api_key]
            access: { consumers: [billing], methods: [GET] }
            credential: { header: Authorization, value: Bearer provider-key }
            upstream: { destinations: [https://127.0.0.1:{{upstreamPort}}], tls: { authority: {{(upstreamPort == 1 ? _authority : _certificates.Directory + "/upstream.pem")}}, server_name: api.test } }
        """;

    private HttpClient Client(TestGateway gateway, string? key = Key, bool trusts = true)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.ImportFromPemFile(_authority);
        var proxy = new WebProxy($"http://{gateway["egress"]}") { Credentials = key is null ? null : new NetworkCredential("any", key) };
        return new HttpClient(new SocketsHttpHandler
        {
            Proxy = proxy,
            SslOptions = { CertificateChainPolicy = trusts ? policy : null },
        })
        { Timeout = TimeSpan.FromSeconds(60) };
    }

    private static HttpRequestMessage Request(string address, string version, HttpMethod? method = null) =>
        new(method ?? HttpMethod.Get, address) { Version = Version.Parse(version), VersionPolicy = HttpVersionPolicy.RequestVersionExact };

    private static async Task<string> RunAsync(string program, string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, ["--max-time", "60", .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync(Cancellation);
        var output = await process.StandardOutput.ReadToEndAsync(Cancellation);
        await process.WaitForExitAsync(Cancellation);
        return process.ExitCode == 0 ? output : $"exit {process.ExitCode}: {await error}";
    }
}
