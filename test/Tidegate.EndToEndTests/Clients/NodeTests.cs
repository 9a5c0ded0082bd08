using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Tidegate.Exchanges;
using Xunit;

namespace Tidegate.EndToEndTests.Clients;

/// <summary>Node with what it has built in: fetch, http with the absolute form and CONNECT, http2.</summary>
public sealed class NodeTests
{
    [Fact]
    public async Task Http_sends_the_absolute_form()
    {
        await using var world = await ClientWorld.StartAsync();

        var (status, version, content) = await NodeAsync(world, "absolute", world.Proxy, "http://plain.test/v1/x?q=1", "content");

        Assert.Equal((200, "1.1", "answer to /v1/x?q=1"), (status, version, content));
        Assert.Equal(7, ClientWorld.Arrived(world.Cleartext, "PUT", "/v1/x?q=1", "plain.test", ClientWorld.ProviderKey).ContentBytes);
        ClientWorld.Recorded((await world.RecordsAsync(1))[0], Direction.Egress, "plain", "http://plain.test/v1/x", ProtocolVersion.Http11, "PUT");
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2")]
    public async Task Connect_with_the_extra_ca_is_intercepted(string version)
    {
        await using var world = await ClientWorld.StartAsync();

        var (status, spoken, content) = await NodeAsync(world, "connect", world.Proxy, "https://opened.test/v1/x?q=1", version);

        Assert.Equal((200, version == "2" ? "2.0" : "1.1", "answer to /v1/x?q=1"), (status, spoken, content));
        ClientWorld.Arrived(world.Tls, "GET", "/v1/x?q=1", "opened.test", ClientWorld.ProviderKey);
        ClientWorld.Recorded((await world.RecordsAsync(1))[0], Direction.Egress, "opened", "https://opened.test/v1/x", version == "2" ? ProtocolVersion.Http2 : ProtocolVersion.Http11);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2")]
    public async Task Connect_is_a_tunnel_to_the_upstreams_own_certificate(string version)
    {
        await using var world = await ClientWorld.StartAsync();

        var (status, _, content) = await NodeAsync(world, "connect", world.Proxy, $"https://localhost:{world.Tls.Port}/inside", version);

        Assert.Equal((200, "answer to /inside"), (status, content));
        Assert.Equal(version == "2" ? "HTTP/2" : "HTTP/1.1", ClientWorld.Arrived(world.Tls, "GET", "/inside", $"localhost:{world.Tls.Port}").Protocol);
        world.RecordedTunnel((await world.RecordsAsync(1))[0]);
    }

    [Theory]
    [InlineData("plain", "http")]
    [InlineData("opened", "https")]
    public async Task Fetch_by_base_path_needs_no_proxy_settings(string api, string scheme)
    {
        await using var world = await ClientWorld.StartAsync();

        var (status, _, content) = await NodeAsync(world, "fetch", $"http://{world.Egress}/{api}/v1/x?q=1");

        Assert.Equal((200, "answer to /v1/x?q=1"), (status, content));
        ClientWorld.Arrived(scheme == "https" ? world.Tls : world.Cleartext, "GET", "/v1/x?q=1", $"{api}.test", ClientWorld.ProviderKey);

        // A base path stands for https://HOST, whatever the upstream speaks.
        ClientWorld.Recorded((await world.RecordsAsync(1))[0], Direction.Egress, api, $"https://{api}.test/v1/x", ProtocolVersion.Http11);
    }

    [Theory]
    [InlineData("fetch", false)]
    [InlineData("fetch", true)]
    [InlineData("http2", true)]
    public async Task Ingress_goes_by_host_and_path(string way, bool isTls)
    {
        await using var world = await ClientWorld.StartAsync(isTls);
        var scheme = isTls ? "https" : "http";

        var (status, _, content) = await NodeAsync(world, way, $"{scheme}://localhost:{world.IngressPort}/orders/7", "an order");

        Assert.Equal((200, "answer to /orders/7"), (status, content));
        Assert.Equal(8, ClientWorld.Arrived(world.Cleartext, "POST", "/orders/7", $"localhost:{world.IngressPort}").ContentBytes);
        ClientWorld.Recorded((await world.RecordsAsync(1))[0], Direction.Ingress, "orders", $"{scheme}://localhost/orders/7", way == "http2" ? ProtocolVersion.Http2 : ProtocolVersion.Http11, "POST");
    }

    [Fact]
    public async Task A_stream_that_fetch_sends_arrives_whole()
    {
        const int Size = 2_000_003;
        await using var world = await ClientWorld.StartAsync();

        var (status, _, _) = await NodeAsync(world, "fetchStream", $"http://localhost:{world.IngressPort}/orders", Size.ToString(CultureInfo.InvariantCulture));

        Assert.Equal(200, status);
        var arrived = ClientWorld.Arrived(world.Cleartext, "POST", "/orders", $"localhost:{world.IngressPort}");
        Assert.Equal(Convert.ToHexString(SHA256.HashData(Encoding.ASCII.GetBytes(new string('a', Size)))), arrived.ContentHash);
        Assert.Equal(Size, (await world.RecordsAsync(1))[0].RequestBytes);
    }

    [Fact]
    public async Task Fetch_with_node_use_env_proxy_is_intercepted()
    {
        var version = (await ClientProgram.RunAsync("node", ["--version"])).Trim();
        Assert.SkipUnless(int.Parse(version.AsSpan(1, version.IndexOf('.', StringComparison.Ordinal) - 1), null) >= 24, $"NODE_USE_ENV_PROXY came with Node 24; this is {version}.");
        await using var world = await ClientWorld.StartAsync();

        var (status, _, content) = await NodeAsync(world, "fetch", "https://opened.test/v1/x");

        Assert.Equal((200, "answer to /v1/x"), (status, content));
        Assert.Equal("opened", Assert.Single(await world.RecordsAsync(1)).Api);
    }

    private static async Task<(int Status, string Version, string Content)> NodeAsync(ClientWorld world, params string[] arguments)
    {
        // Node takes one file of roots.
        var roots = world.At("roots.pem");
        await File.WriteAllTextAsync(roots, await File.ReadAllTextAsync(world.Authority, TestContext.Current.CancellationToken) + "\n" + await File.ReadAllTextAsync(world.Trust, TestContext.Current.CancellationToken), TestContext.Current.CancellationToken);
        var output = await ClientProgram.RunAsync(
            "node",
            [ClientProgram.Script("client.mjs"), .. arguments],
            ("GATEWAY_KEY", ClientWorld.Key),
            ("NODE_EXTRA_CA_CERTS", roots),
            ("NODE_USE_ENV_PROXY", "1"),
            ("HTTPS_PROXY", world.Proxy),
            ("NO_PROXY", "localhost,127.0.0.1"));
        using var answer = JsonDocument.Parse(output);
        return (answer.RootElement.GetProperty("status").GetInt32(), answer.RootElement.GetProperty("version").GetString()!, answer.RootElement.GetProperty("content").GetString()!);
    }
}
