using Tidegate.Exchanges;
using Xunit;

namespace Tidegate.EndToEndTests.Clients;

/// <summary>Java's HttpClient. One program makes all calls of a test: starting it is what takes long.</summary>
public sealed class JavaTests
{
    private const int UploadBytes = 2_000_003;

    [Fact]
    public async Task Through_the_proxy_in_every_form_and_to_ingress_over_tls()
    {
        await using var world = await ClientWorld.StartAsync(isIngressTls: true);
        var proxy = world.Egress.ToString();
        var tunnel = $"https://localhost:{world.Tls.Port}/inside";
        var ingress = $"https://localhost:{world.IngressPort}/orders/7";

        var lines = await JavaAsync(
            world,
            ["get", "http://plain.test/v1/x?q=1", proxy],
            ["get1", "https://opened.test/one", proxy],
            ["get", "https://opened.test/two", proxy],
            ["get", tunnel, proxy],
            ["get", ingress, "-"],
            ["post", ingress, "-"]);

        Assert.Equal(
            [
                "200 HTTP_1_1 answer to /v1/x?q=1",
                "200 HTTP_1_1 answer to /one",
                "200 HTTP_2 answer to /two",
                "200 HTTP_2 answer to /inside",
                "200 HTTP_2 answer to /orders/7",
                "200 HTTP_2 answer to /orders/7",
            ],
            lines);
        Assert.Equal([("/v1/x?q=1", 0), ("/orders/7", 0), ("/orders/7", UploadBytes)], world.Cleartext.Received.Select(request => (request.Target, request.ContentBytes)));
        Assert.Equal(["/one", "/two", "/inside"], world.Tls.Received.Select(request => request.Target));
        Assert.Equal([ClientWorld.ProviderKey, ClientWorld.ProviderKey, ""], world.Tls.Received.Select(request => request.Field("Authorization")));

        // Java sends its key only when it was asked for it, so each proxied call is two exchanges.
        var records = await world.RecordsAsync(10);
        Assert.Equal(4, records.Count(record => record.Code == "credential_missing"));
        var forwarded = records.Where(record => record.Outcome == Outcome.Forwarded).ToList();
        ClientWorld.Recorded(forwarded[0], Direction.Egress, "plain", "http://plain.test/v1/x", ProtocolVersion.Http11);
        ClientWorld.Recorded(forwarded[1], Direction.Egress, "opened", "https://opened.test/one", ProtocolVersion.Http11);
        ClientWorld.Recorded(forwarded[2], Direction.Egress, "opened", "https://opened.test/two", ProtocolVersion.Http2);
        world.RecordedTunnel(Assert.Single(forwarded, record => record.Method == "CONNECT"));
        var orders = forwarded.Where(record => record.Api == "orders").ToList();
        ClientWorld.Recorded(orders[0], Direction.Ingress, "orders", "https://localhost/orders/7", ProtocolVersion.Http2);
        ClientWorld.Recorded(orders[1], Direction.Ingress, "orders", "https://localhost/orders/7", ProtocolVersion.Http2, "POST");
        Assert.Equal(UploadBytes, orders[1].RequestBytes);
    }

    [Fact]
    public async Task By_base_path_and_to_ingress_in_cleartext()
    {
        await using var world = await ClientWorld.StartAsync();
        var ingress = $"http://localhost:{world.IngressPort}/orders/7";

        var lines = await JavaAsync(
            world,
            ["get", $"http://{world.Egress}/opened/v1/x?q=1", "-"],
            ["get", ingress, "-"],
            ["expect", ingress, "-"]);

        // Java offers to go on in HTTP/2 (Upgrade: h2c), which nobody has to take.
        Assert.Equal(["200 HTTP_1_1 answer to /v1/x?q=1", "200 HTTP_1_1 answer to /orders/7", "200 HTTP_1_1 answer to /orders/7"], lines);
        ClientWorld.Arrived(world.Tls, "GET", "/v1/x?q=1", "opened.test", ClientWorld.ProviderKey);
        Assert.Equal([0, UploadBytes], world.Cleartext.Received.Select(request => request.ContentBytes));
        Assert.All(world.Cleartext.Received, request => Assert.Equal(("", ""), (request.Field("Upgrade"), request.Field("HTTP2-Settings"))));
        var records = await world.RecordsAsync(3);
        ClientWorld.Recorded(records[0], Direction.Egress, "opened", "https://opened.test/v1/x", ProtocolVersion.Http11);
        ClientWorld.Recorded(records[1], Direction.Ingress, "orders", "http://localhost/orders/7", ProtocolVersion.Http11);
        ClientWorld.Recorded(records[2], Direction.Ingress, "orders", "http://localhost/orders/7", ProtocolVersion.Http11, "POST");
        Assert.Equal(UploadBytes, records[2].RequestBytes);
    }

    private static async Task<string[]> JavaAsync(ClientWorld world, params string[][] calls)
    {
        const string Password = "changeit";
        var store = world.At("trust.p12");
        foreach (var (alias, file) in new[] { ("tidegate", world.Authority), ("upstream", world.Trust) })
        {
            await ClientProgram.RunAsync("keytool", ["-importcert", "-noprompt", "-alias", alias, "-file", file, "-keystore", store, "-storetype", "PKCS12", "-storepass", Password]);
        }

        var output = await ClientProgram.RunAsync(
            "java",
            [
                "-XX:TieredStopAtLevel=1",
                "-Djdk.http.auth.tunneling.disabledSchemes=",
                "-Djavax.net.ssl.trustStore=" + store,
                "-Djavax.net.ssl.trustStorePassword=" + Password,
                ClientProgram.Script("Client.java"),
                .. calls.SelectMany(call => call),
            ],
            ("GATEWAY_KEY", ClientWorld.Key));
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
