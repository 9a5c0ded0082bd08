using System.Text.Json;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>What a whole gateway finds out of its traffic, and still knows after a restart.</summary>
public sealed class InventoryTests : IDisposable
{
    private readonly string _exchanges = Directory.CreateTempSubdirectory("tidegate-inventory-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_exchanges, recursive: true);

    [Fact]
    public async Task Endpoints_are_found_with_the_key_that_the_provider_got_and_outlive_a_restart()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        var yaml = $$"""
            listeners: { egress: { address: 127.0.0.1:0 }, ingress: { address: 127.0.0.1:0 } }
            apis:
              - { name: provider, direction: egress, hosts: [provider.test], base_path: /provider, credential: { header: Authorization, value: Bearer-x }, cache: { mode: standard }, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }
              - { name: orders, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }
            """;
        using var caller = new HttpClient();
        await using (var gateway = await TestGateway.StartAsync(yaml, Cancellation, exchanges: _exchanges))
        {
            for (var i = 0; i < 3; i++)
            {
                await caller.GetStringAsync($"http://{gateway["egress"]}/provider/v1/things/{i}", Cancellation);
                await caller.GetStringAsync($"http://{gateway["ingress"]}/orders/{i}", Cancellation);
            }

            await gateway.RecordsAsync(6, Cancellation);
            Holds(await ReadAsync(caller, gateway, "?host=provider.test"), "/v1/things/{id}", "authorization");
            Assert.Equal(2, (await ReadAsync(caller, gateway, "")).GetArrayLength());
            Assert.Equal(1, (await ReadAsync(caller, gateway, "?direction=ingress"))[0].GetProperty("endpoint_count").GetInt32());
            using var wrong = await caller.GetAsync($"http://{gateway["admin"]}/api/v1/inventory?hosts=x", Cancellation);
            Assert.Equal(400, (int)wrong.StatusCode);

            // The pages as they are drawn first, whatever the browser.
            Assert.Contains("provider.test", await caller.GetStringAsync($"http://{gateway["admin"]}/inventory", Cancellation), StringComparison.Ordinal);
            Assert.Contains("/orders/{id}", await caller.GetStringAsync($"http://{gateway["admin"]}/inventory/ingress/orders", Cancellation), StringComparison.Ordinal);
        }

        await using var next = await TestGateway.StartAsync(yaml, Cancellation, exchanges: _exchanges);
        Holds(await ReadAsync(caller, next, "?api=provider"), "/v1/things/{id}", "authorization");
    }

    private static void Holds(JsonElement hosts, string path, string auth)
    {
        var endpoint = hosts[0].GetProperty("endpoints")[0];
        Assert.Equal((path, "GET", "v1", 3), (endpoint.GetProperty("path").GetString(), endpoint.GetProperty("method").GetString(), endpoint.GetProperty("version").GetString(), endpoint.GetProperty("calls").GetInt32()));
        Assert.Equal(auth, endpoint.GetProperty("auth")[0].GetString());
    }

    private static async Task<JsonElement> ReadAsync(HttpClient caller, TestGateway gateway, string query)
    {
        using var read = JsonDocument.Parse(await caller.GetStringAsync($"http://{gateway["admin"]}/api/v1/inventory{query}", Cancellation));
        return read.RootElement.GetProperty("hosts").Clone();
    }
}
