using System.Runtime.Versioning;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>HTTP/3 requests that no library would send.</summary>
[SupportedOSPlatform("linux"), SupportedOSPlatform("macos"), SupportedOSPlatform("windows")]
public sealed class Http3WireTests : IDisposable
{
    private readonly TestCertificates _certificates = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public Http3WireTests()
    {
        Http3Tests.SkipWithoutQuic();
        _certificates.Create("a", "a.test").Dispose();
    }

    [Theory]
    [InlineData("connection", "close")]
    [InlineData("keep-alive", "5")]
    [InlineData("proxy-connection", "keep-alive")]
    [InlineData("transfer-encoding", "chunked")]
    [InlineData("upgrade", "websocket")]
    [InlineData("te", "gzip")]
    [InlineData("Upper", "x")]
    [InlineData("na me", "x")]
    [InlineData("na:me", "x")]
    [InlineData("", "x")]
    [InlineData("x", "a\rb")]
    [InlineData("x", "a\nb")]
    [InlineData("x", "a\0b")]
    [InlineData("x", "a\u0001b")]
    [InlineData("x", " a")]
    [InlineData("x\r\n", "a")]
    [InlineData(":status", "200")]
    [InlineData(":unknown", "x")]
    [InlineData(":path", "/second")]
    public async Task What_rfc_9114_calls_malformed_never_reaches_the_upstream(string name, string value)
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port);
        await using var client = await RawHttp3.ConnectAsync(gateway["ingress"], "a.test", Cancellation);

        var answer = await client.GetAsync("/", [(name, value)], Cancellation);

        Assert.True(answer == "400" || answer.StartsWith("reset", StringComparison.Ordinal), answer);
        Assert.Equal("200", await client.GetAsync("/", [("te", "trailers"), ("cookie", "a=1"), ("cookie", "b=2")], Cancellation));
        var records = await gateway.RecordsAsync(answer == "400" ? 2 : 1, Cancellation);
        Assert.Single(records, record => record.Outcome == Outcome.Forwarded);
    }

    [Theory]
    [InlineData(":scheme=https :authority=a.test")]
    [InlineData(":authority=a.test :path=/")]
    [InlineData(":scheme=https :path=/")]
    [InlineData(":scheme=https :authority= :path=/")]
    [InlineData(":scheme=https :authority=a@b :path=/")]
    [InlineData(":scheme=https :authority=a.test :path=")]
    [InlineData(":scheme=https :authority=a.test :path=x")]
    [InlineData(":scheme=https :authority=a.test :path=/ :path=/")]
    public async Task Pseudo_header_fields_that_rfc_9114_does_not_allow_are_refused(string pseudo)
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port);
        await using var client = await RawHttp3.ConnectAsync(gateway["ingress"], "a.test", Cancellation);

        var answer = await client.SendAsync("GET", Pairs(pseudo), [], null, Cancellation);

        Assert.True(answer == "400" || answer.StartsWith("reset", StringComparison.Ordinal), answer);
        Assert.Equal("200", await client.GetAsync("/", [], Cancellation));
    }

    [Theory]
    [InlineData("3", "four")]
    [InlineData("5", "four")]
    [InlineData("4, 4", "four")]
    public async Task Content_that_is_not_as_long_as_announced_is_never_passed_on_as_complete(string announced, string content)
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port);
        await using var client = await RawHttp3.ConnectAsync(gateway["ingress"], "a.test", Cancellation);

        var answer = await client.SendAsync("POST", Pairs(":scheme=https :authority=a.test :path=/echo"), [("content-length", announced)], content, Cancellation);

        Assert.True(answer == "400" || answer.StartsWith("reset", StringComparison.Ordinal), answer);
    }

    [Theory]
    [InlineData(":authority=a.test:443")]
    [InlineData(":scheme=https :authority=a.test :path=/ws :protocol=websocket")]
    public async Task A_connect_opens_nothing_on_ingress(string pseudo)
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port);
        await using var client = await RawHttp3.ConnectAsync(gateway["ingress"], "a.test", Cancellation);

        Assert.Equal("405", await client.SendAsync("CONNECT", Pairs(pseudo), [], null, Cancellation));
        Assert.Equal("connect_not_offered", (await gateway.RecordsAsync(1, Cancellation))[0].Code);
    }

    [Fact]
    public async Task A_head_that_never_ends_is_reset()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port, "header_timeout: 1s");
        await using var client = await RawHttp3.ConnectAsync(gateway["ingress"], "a.test", Cancellation);

        Assert.StartsWith("reset", await client.BeginHeadAsync(Cancellation).WaitAsync(TimeSpan.FromSeconds(60), Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_head_over_the_limit_never_reaches_the_upstream()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port, "head: 4KB");
        await using var client = await RawHttp3.ConnectAsync(gateway["ingress"], "a.test", Cancellation);

        var answer = await client.GetAsync("/", [("x", new string('a', 3000)), ("y", new string('a', 3000))], Cancellation);

        Assert.True(answer == "431" || answer.StartsWith("reset", StringComparison.Ordinal), answer);
        Assert.Equal("200", await client.GetAsync("/", [("x", new string('a', 3000))], Cancellation));
    }

    public void Dispose() => _certificates.Dispose();

    private static (string Name, string Value)[] Pairs(string text) => [.. text.Split(' ').Select(part => (part[..part.IndexOf('=', StringComparison.Ordinal)], part[(part.IndexOf('=', StringComparison.Ordinal) + 1)..]))];

    private Task<TestGateway> StartAsync(int upstreamPort, string limits = "") =>
        TestGateway.StartAsync(Http2Tests.Ingress(upstreamPort, $"tls: {{ certificate: {_certificates.Directory}/a.pem, key: {_certificates.Directory}/a.key }}, limits: {{ {limits} }}"), Cancellation);
}
