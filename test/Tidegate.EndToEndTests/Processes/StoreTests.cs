using System.Net;
using System.Text.Json;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Processes;

/// <summary>The exchange store through the process: what was served can be looked back at, also after it was killed.</summary>
public sealed class StoreTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_served_can_be_summed_up_and_searched_also_after_kill_9()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        using var gateway = new RunningGateway();
        gateway.Start($$"""
            listeners: { ingress: { address: 127.0.0.1:0 }, admin: { address: 127.0.0.1:0 } }
            recording: { access_log: { path: "off" } }
            apis: [{ name: orders, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }]
            """);
        using var client = new HttpClient();
        var address = await gateway.ListensAsync("ingress");
        for (var i = 0; i < 25; i++)
        {
            await client.GetStringAsync($"http://{address}/orders/{i}", Cancellation);
        }

        await SumsAsync(client, gateway, 25);
        await client.GetStringAsync($"http://{address}/orders/last", Cancellation);

        // What is counted is in the log already; what is summed up comes a second later.
        var listens = await gateway.ListensAsync("admin");
        await Eventually.HoldsAsync(async () => new PrometheusScrape(await client.GetStringAsync($"http://{listens}/metrics", Cancellation)).Sum("tidegate_exchanges_total") == 26, "The last was not recorded.", Cancellation);
        await gateway.Process.SignalAsync("KILL", Cancellation);
        await gateway.Process.ExitCodeAsync(Cancellation);
        gateway.Start();
        var admin = await SumsAsync(client, gateway, 26);

        using var found = JsonDocument.Parse(await client.GetStringAsync($"http://{admin}/api/v1/exchanges/search?path=/orders/last&api=orders", Cancellation));
        var exchange = Assert.Single(found.RootElement.GetProperty("exchanges").EnumerateArray());
        using var one = JsonDocument.Parse(await client.GetStringAsync($"http://{admin}/api/v1/exchanges/{exchange.GetProperty("exchange").GetString()}", Cancellation));
        Assert.Equal("/orders/last", one.RootElement.GetProperty("path").GetString());
    }

    [Fact]
    public async Task A_store_that_cannot_be_opened_is_not_in_the_way_of_traffic_and_everybody_says_why()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        using var gateway = new RunningGateway();
        await File.WriteAllTextAsync(gateway.At("exchanges"), "no directory", Cancellation);
        gateway.Start($$"""
            listeners: { ingress: { address: 127.0.0.1:0 }, admin: { address: 127.0.0.1:0 } }
            recording: { access_log: { path: "off" }, store: { path: "{{gateway.At("exchanges")}}" } }
            apis: [{ name: orders, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }]
            """);
        using var client = new HttpClient();
        var address = await gateway.ListensAsync("ingress");
        await client.GetStringAsync($"http://{address}/orders/1", Cancellation);
        var admin = await gateway.ListensAsync("admin");
        await Eventually.HoldsAsync(async () => new PrometheusScrape(await client.GetStringAsync($"http://{admin}/metrics", Cancellation)).Sum("tidegate_store_dropped_total") == 1, "The record is not counted as lost.", Cancellation);
        Assert.Equal(0, new PrometheusScrape(await client.GetStringAsync($"http://{admin}/metrics", Cancellation)).Sum("tidegate_store_open"));

        using var series = await client.GetAsync($"http://{admin}/api/v1/series", Cancellation);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, series.StatusCode);
        Assert.Contains(gateway.At("exchanges"), await series.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        var page = await client.GetStringAsync($"http://{admin}/", Cancellation);
        Assert.Contains("Exchanges are not kept", page, StringComparison.Ordinal);
        Assert.DoesNotContain("recording.store.path", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_gateways_with_one_database_answer_for_both()
    {
        Assert.SkipWhen(PostgresCluster.Programs() is null, "PostgreSQL is not installed: apt-get install postgresql.");
        using var cluster = new PostgresCluster(PostgresCluster.Programs()!);
        await using var upstream = await EchoUpstream.StartAsync();
        using var first = new RunningGateway();
        using var second = new RunningGateway();
        using var client = new HttpClient();
        foreach (var gateway in (RunningGateway[])[first, second])
        {
            gateway.Start($$"""
                listeners: { ingress: { address: 127.0.0.1:0 }, admin: { address: 127.0.0.1:0 } }
                recording: { access_log: { path: "off" }, store: { postgresql: "{{cluster.Address}}" } }
                apis: [{ name: orders, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }]
                """);
            var address = await gateway.ListensAsync("ingress");
            for (var i = 0; i < 10; i++)
            {
                await client.GetStringAsync($"http://{address}/orders/{i}", Cancellation);
            }
        }

        await SumsAsync(client, first, 20);
        var admin = await SumsAsync(client, second, 20);
        using var found = JsonDocument.Parse(await client.GetStringAsync($"http://{admin}/api/v1/exchanges/search?path=/orders/7", Cancellation));
        Assert.Equal(2, found.RootElement.GetProperty("exchanges").GetArrayLength());
    }

    private static async Task<System.Net.IPEndPoint> SumsAsync(HttpClient client, RunningGateway gateway, int expected)
    {
        var admin = await gateway.ListensAsync("admin");
        for (var tries = 0; ; tries++)
        {
            using var series = JsonDocument.Parse(await client.GetStringAsync($"http://{admin}/api/v1/series?api=orders&group_by=status", Cancellation));
            var total = series.RootElement.GetProperty("total").GetProperty("exchanges").GetInt64();
            if (total == expected)
            {
                return admin;
            }

            Assert.True(total < expected && tries < 600, $"{total} are summed up, not {expected}.");
            await Task.Delay(100, Cancellation);
        }
    }
}
