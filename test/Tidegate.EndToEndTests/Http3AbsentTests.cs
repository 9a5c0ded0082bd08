using System.Net;
using Tidegate.Configuration;
using Tidegate.Edge;
using Tidegate.Edge.Multiplexed;
using Tidegate.Forwarding;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>What a listener does that should serve HTTP/3 on a machine without libmsquic.</summary>
public sealed class Http3AbsentTests : IDisposable
{
    private readonly TestCertificates _certificates = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public Http3AbsentTests()
    {
        Assert.SkipWhen(Http3Listener.IsSupported, "This machine has libmsquic.");
        _certificates.Create("a", "a.test").Dispose();
    }

    [Fact]
    public async Task By_default_it_serves_over_tcp_and_advertises_nothing()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Configuration("auto", upstream.Port), Cancellation);
        using var client = new HttpClient(new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = static (_, _, _, _) => true } });

        using var answer = await client.GetAsync($"https://{gateway["ingress"]}/", Cancellation);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.False(answer.Headers.Contains("Alt-Svc"));
    }

    [Fact]
    public async Task When_it_must_check_warns_and_the_gateway_does_not_start()
    {
        await using var forwarder = new Forwarder(TimeProvider.System);
        var (compiled, problems) = SnapshotCompiler.Compile(ConfigurationLoader.LoadText(Configuration("on", 1), "t.yaml"), new CompilerServices(forwarder, TimeProvider.System));

        Assert.NotNull(compiled);
        Assert.Contains("warning: this machine has no libmsquic", Assert.Single(problems).ToString(), StringComparison.Ordinal);
        var refused = await Assert.ThrowsAsync<ListenException>(() => TestGateway.StartAsync(Configuration("on", 1), Cancellation));
        Assert.Contains("libmsquic", refused.Message, StringComparison.Ordinal);
    }

    public void Dispose() => _certificates.Dispose();

    private string Configuration(string http3, int upstreamPort) =>
        Http2Tests.Ingress(upstreamPort, $"tls: {{ certificate: {_certificates.Directory}/a.pem, key: {_certificates.Directory}/a.key }}, http3: {http3}");
}
