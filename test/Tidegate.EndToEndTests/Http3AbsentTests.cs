using System.CommandLine;
using System.Net;
using Tidegate.Configuration;
using Tidegate.Edge;
using Tidegate.Edge.Multiplexed;
using Tidegate.Forwarding;
using Tidegate.Host.Commands;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>What a listener does that should serve HTTP/3 on a machine without libmsquic, and an upstream that should be called over it.</summary>
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

    [Fact]
    public async Task With_an_upstream_that_speaks_it_check_warns_and_the_gateway_does_not_start()
    {
        const string Yaml = "listeners: { ingress: { address: 127.0.0.1:0 }, admin: { address: off } }\nrecording: { access_log: { path: off } }\napis: [{ name: a, direction: ingress, upstream: { destinations: [https://127.0.0.1:1], protocol: http3 } }]\n";
        await using var forwarder = new Forwarder(TimeProvider.System);
        var (compiled, problems) = SnapshotCompiler.Compile(ConfigurationLoader.LoadText(Yaml, "t.yaml"), new CompilerServices(forwarder, TimeProvider.System));

        Assert.NotNull(compiled);
        Assert.StartsWith("t.yaml:3:98 warning: this machine has no libmsquic, and without it the gateway will not start", Assert.Single(problems).ToString(), StringComparison.Ordinal);

        var file = Path.Combine(_certificates.Directory, "tidegate.yaml");
        await File.WriteAllTextAsync(file, Yaml, Cancellation);
        var error = new StringWriter();
        var code = await RunCommand.Create().Parse(["--config", file]).InvokeAsync(new InvocationConfiguration { Error = error, Output = error }, Cancellation);
        Assert.Equal(1, code);
        Assert.Contains("a has an upstream with protocol: http3, and this machine has no libmsquic. Install it, or write another protocol.", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_an_upstream_that_speaks_it_a_reload_keeps_what_was_there()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        var before = Http2Tests.Ingress(upstream.Port);
        await using var gateway = await TestGateway.StartAsync(before, Cancellation);

        gateway.Reload(before.Replace("http://", "https://", StringComparison.Ordinal).Replace("protocol: auto", "protocol: http3", StringComparison.Ordinal));

        using var client = new HttpClient();
        Assert.StartsWith("GET / HTTP/1.1", await client.GetStringAsync($"http://{gateway["ingress"]}/", Cancellation), StringComparison.Ordinal);
    }

    public void Dispose() => _certificates.Dispose();

    private string Configuration(string http3, int upstreamPort) =>
        Http2Tests.Ingress(upstreamPort, $"tls: {{ certificate: {_certificates.Directory}/a.pem, key: {_certificates.Directory}/a.key }}, http3: {http3}");
}
