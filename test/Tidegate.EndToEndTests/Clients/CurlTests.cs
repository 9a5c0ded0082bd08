using System.Security.Cryptography;
using Tidegate.Exchanges;
using Xunit;

namespace Tidegate.EndToEndTests.Clients;

/// <summary>curl, in every way that it can be pointed at the gateway.</summary>
public sealed class CurlTests
{
    [Fact]
    public async Task Http_proxy_sends_the_absolute_form()
    {
        await using var world = await ClientWorld.StartAsync();

        var output = await CurlAsync(["http://plain.test/v1/a%20b?q=1"], ("http_proxy", world.Proxy));

        Assert.Equal("answer to /v1/a%20b?q=1|200 1.1", output);
        Assert.Equal("HTTP/1.1", ClientWorld.Arrived(world.Cleartext, "GET", "/v1/a%20b?q=1", "plain.test", ClientWorld.ProviderKey).Protocol);
        ClientWorld.Recorded((await world.RecordsAsync(1))[0], Direction.Egress, "plain", "http://plain.test/v1/a%20b", ProtocolVersion.Http11);
    }

    [Fact]
    public async Task Proxy_user_is_the_key_and_a_wrong_one_is_refused()
    {
        await using var world = await ClientWorld.StartAsync();

        Assert.EndsWith("|407 1.1", await CurlAsync(["-x", $"http://{world.Egress}", "--proxy-user", "key:billing-key-124", "http://plain.test/"]), StringComparison.Ordinal);
        Assert.EndsWith("|407 1.1", await CurlAsync(["-x", $"http://{world.Egress}", "http://plain.test/"]), StringComparison.Ordinal);
        Assert.Equal("answer to /|200 1.1", await CurlAsync(["-x", $"http://{world.Egress}", "--proxy-user", "key:" + ClientWorld.Key, "http://plain.test/"]));

        ClientWorld.Arrived(world.Cleartext, "GET", "/", "plain.test", ClientWorld.ProviderKey);
        var records = await world.RecordsAsync(3);
        Assert.Equal([("credential_unknown", "anonymous"), ("credential_missing", "anonymous"), ("", "billing")], records.Select(record => (record.Code, record.Consumer.Name)));
    }

    [Theory]
    [InlineData("--http1.1", "1.1")]
    [InlineData("--http2", "2")]
    public async Task Https_proxy_with_the_ca_is_intercepted(string version, string expected)
    {
        await using var world = await ClientWorld.StartAsync();

        var output = await CurlAsync([version, "--cacert", world.Authority, "https://opened.test/v1/x"], ("https_proxy", world.Proxy));

        Assert.Equal($"answer to /v1/x|200 {expected}", output);
        ClientWorld.Arrived(world.Tls, "GET", "/v1/x", "opened.test", ClientWorld.ProviderKey);
        ClientWorld.Recorded((await world.RecordsAsync(1))[0], Direction.Egress, "opened", "https://opened.test/v1/x", expected == "2" ? ProtocolVersion.Http2 : ProtocolVersion.Http11);
    }

    [Theory]
    [InlineData("--http1.1", "1.1")]
    [InlineData("--http2", "2")]
    public async Task Https_proxy_carries_a_tunnel_to_the_upstreams_own_certificate(string version, string expected)
    {
        await using var world = await ClientWorld.StartAsync();
        var host = $"localhost:{world.Tls.Port}";

        var output = await CurlAsync([version, "--cacert", world.Trust, $"https://{host}/inside"], ("https_proxy", world.Proxy));

        Assert.Equal($"answer to /inside|200 {expected}", output);
        Assert.Equal(expected == "2" ? "HTTP/2" : "HTTP/1.1", ClientWorld.Arrived(world.Tls, "GET", "/inside", host).Protocol);
        world.RecordedTunnel((await world.RecordsAsync(1))[0]);
    }

    [Theory]
    [InlineData(false, "--http1.1", "1.1")]
    [InlineData(false, "--http2-prior-knowledge", "2")]
    [InlineData(true, "--http1.1", "1.1")]
    [InlineData(true, "--http2", "2")]
    public async Task Ingress_goes_by_host_and_path(bool isTls, string version, string expected)
    {
        await using var world = await ClientWorld.StartAsync(isTls);
        var scheme = isTls ? "https" : "http";

        var output = await CurlAsync([version, "--cacert", world.Trust, "-H", "X-Api-Key: " + ClientWorld.Key, $"{scheme}://localhost:{world.IngressPort}/orders/7?full=1"]);

        Assert.Equal($"answer to /orders/7?full=1|200 {expected}", output);
        var arrived = ClientWorld.Arrived(world.Cleartext, "GET", "/orders/7?full=1", $"localhost:{world.IngressPort}");
        Assert.Equal((scheme, "127.0.0.1"), (arrived.Field("X-Forwarded-Proto"), arrived.Field("X-Forwarded-For")));
        ClientWorld.Recorded((await world.RecordsAsync(1))[0], Direction.Ingress, "orders", $"{scheme}://localhost/orders/7", expected == "2" ? ProtocolVersion.Http2 : ProtocolVersion.Http11);
    }

    [Fact]
    public async Task The_other_hosts_and_paths_of_ingress_are_not_there()
    {
        await using var world = await ClientWorld.StartAsync();

        Assert.EndsWith("|404 1.1", await CurlAsync([$"http://localhost:{world.IngressPort}/invoices"]), StringComparison.Ordinal);
        Assert.EndsWith("|404 1.1", await CurlAsync(["-H", "Host: other.test", $"http://localhost:{world.IngressPort}/orders"]), StringComparison.Ordinal);

        Assert.Empty(world.Cleartext.Received);
        Assert.All(await world.RecordsAsync(2), record => Assert.Equal((Outcome.Rejected, "routing"), (record.Outcome, record.Reason)));
    }

    [Theory]
    [InlineData("ingress", "expect")]
    [InlineData("ingress", "chunked")]
    [InlineData("ingress h2", "expect")]
    [InlineData("base path", "expect")]
    [InlineData("base path", "chunked")]
    [InlineData("absolute form", "expect")]
    [InlineData("absolute form", "chunked")]
    [InlineData("intercepted", "expect")]
    [InlineData("intercepted", "chunked")]
    [InlineData("intercepted h2", "chunked")]
    [InlineData("tunnel", "expect")]
    public async Task An_upload_arrives_whole(string way, string kind)
    {
        await using var world = await ClientWorld.StartAsync();
        var content = RandomNumberGenerator.GetBytes(2_000_003);
        await File.WriteAllBytesAsync(world.At("content"), content, TestContext.Current.CancellationToken);
        string[] upload = kind == "chunked" ? ["-X", "POST", "-H", "Transfer-Encoding: chunked", "-T", world.At("content")] : ["-H", "Expect: 100-continue", "--data-binary", "@" + world.At("content")];
        string[] key = ["-H", "X-Api-Key: " + ClientWorld.Key];
        var (to, upstream, api) = way switch
        {
            "ingress" => ([.. key, $"http://localhost:{world.IngressPort}/orders"], world.Cleartext, "orders"),
            "ingress h2" => ([.. key, "--http2-prior-knowledge", $"http://localhost:{world.IngressPort}/orders"], world.Cleartext, "orders"),
            "base path" => ([.. key, $"http://{world.Egress}/plain/orders"], world.Cleartext, "plain"),
            "absolute form" => (["-x", world.Proxy, "http://plain.test/orders"], world.Cleartext, "plain"),
            "intercepted" => (["-x", world.Proxy, "--http1.1", "--cacert", world.Authority, "https://opened.test/orders"], world.Tls, "opened"),
            "intercepted h2" => (["-x", world.Proxy, "--http2", "--cacert", world.Authority, "https://opened.test/orders"], world.Tls, "opened"),
            _ => ((string[])["-x", world.Proxy, "--cacert", world.Trust, $"https://localhost:{world.Tls.Port}/orders"], world.Tls, "carried"),
        };

        var output = await CurlAsync([.. upload, .. to]);

        Assert.StartsWith("answer to /orders|200 ", output, StringComparison.Ordinal);
        var arrived = Assert.Single(upstream.Received);
        Assert.Equal(("POST", content.Length, Convert.ToHexString(SHA256.HashData(content))), (arrived.Method, arrived.ContentBytes, arrived.ContentHash));
        var record = (await world.RecordsAsync(1))[0];
        Assert.Equal((Outcome.Forwarded, 200, api), (record.Outcome, record.Status, record.Api));
        Assert.True(way == "tunnel" ? record.RequestBytes > content.Length : record.RequestBytes == content.Length, record.ToString());
    }

    [Fact]
    public async Task A_refused_upload_that_asks_first_is_never_sent()
    {
        await using var world = await ClientWorld.StartAsync();
        await File.WriteAllBytesAsync(world.At("content"), new byte[2_000_000], TestContext.Current.CancellationToken);

        var output = await CurlAsync(["-H", "Expect: 100-continue", "--data-binary", "@" + world.At("content"), "-w", "|%{http_code} %{size_upload}", $"http://{world.Egress}/plain/orders"]);

        Assert.EndsWith("|401 0", output, StringComparison.Ordinal);
        Assert.Empty(world.Cleartext.Received);
        var record = (await world.RecordsAsync(1))[0];
        Assert.Equal((Outcome.Rejected, "credential_missing", 0), (record.Outcome, record.Code, record.RequestBytes));
    }

    [Fact]
    public async Task A_base_path_needs_no_proxy_settings()
    {
        await using var world = await ClientWorld.StartAsync();

        var output = await CurlAsync(["-H", "X-Api-Key: " + ClientWorld.Key, $"http://{world.Egress}/opened/v1/x?q=1"]);

        Assert.Equal("answer to /v1/x?q=1|200 1.1", output);
        ClientWorld.Arrived(world.Tls, "GET", "/v1/x?q=1", "opened.test", ClientWorld.ProviderKey);
        ClientWorld.Recorded((await world.RecordsAsync(1))[0], Direction.Egress, "opened", "https://opened.test/v1/x", ProtocolVersion.Http11);
    }

    private static Task<string> CurlAsync(string[] arguments, params IReadOnlyList<(string Name, string Value)> environment) =>
        ClientProgram.RunAsync("curl", ["-sS", "--max-time", "60", "-w", "|%{http_code} %{http_version}", .. arguments], environment);
}
