using System.Globalization;
using System.Text.Json;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>What calls cost, over sockets, from the attempt to the record and the numbers that are made of it.</summary>
public sealed class CostTests : IDisposable
{
    private const string Usage = """{"usage":{"total_tokens":1500}}""";

    private readonly string _exchanges = Directory.CreateTempSubdirectory("tidegate-cost-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_exchanges, recursive: true);

    [Fact]
    public async Task Each_attempt_is_billed_and_an_answer_from_the_cache_is_not()
    {
        var answers = 0;
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is not null)
            {
                await connection.WriteAsync(Interlocked.Increment(ref answers) < 3
                    ? "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
                    : "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok");
            }
        });
        await using var gateway = await StartAsync(upstream, "cost: { per_request: 0.002 USD, per_size: 1024 USD/KB }, retry: { attempts: 3, budget: 100%, backoff: { base: 1ms } }, cache: { mode: standard }");
        using var caller = new HttpClient();
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal("ok", await caller.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));

            // The client may have the last byte before the answer is in the store.
            await Eventually.HoldsAsync(async () => new PrometheusScrape(await caller.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation)).Sum("tidegate_cache_entries") == 1, "It was not stored.", Cancellation);
        }

        var records = await gateway.RecordsAsync(3, Cancellation);
        Assert.Equal(new ExchangeCost(2.006m, "USD", 3, 0), records[0].Cost);
        Assert.All(records.Skip(1), record => Assert.Equal((CacheResult.Hit, ExchangeCost.None, false), (record.Cache, record.Cost, record.IsCostUnknown)));

        Assert.Contains("""tidegate_cost_total{api="provider",currency="USD"} 2.006""", await caller.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation), StringComparison.Ordinal);
        using var apis = JsonDocument.Parse(await caller.GetStringAsync($"http://{gateway["admin"]}/api/v1/apis", Cancellation));
        var counts = apis.RootElement.GetProperty("apis")[0].GetProperty("since_start");
        Assert.Equal("2.006", counts.GetProperty("cost").GetProperty("USD").GetRawText());
        Assert.Equal(3, counts.GetProperty("cost_attempts").GetInt32());
        var total = await SeriesTotalAsync(caller, gateway, 3);
        Assert.Equal("2.006", total.GetProperty("cost").GetProperty("USD").GetRawText());
        Assert.Equal(0, total.GetProperty("cost_unknown").GetInt32());
    }

    [Fact]
    public async Task Tokens_that_a_stored_answer_used_are_on_the_bill_of_whoever_asked_first()
    {
        await using var upstream = ScriptedUpstream.Answering($"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Type: application/json\r\nContent-Length: {Usage.Length}\r\n\r\n{Usage}");
        await using var gateway = await StartAsync(upstream, "cost: { units: [{ name: tokens, price: 2 USD/1000, response_json: /usage/total_tokens }] }, cache: { mode: standard }");
        using var caller = new HttpClient();
        await caller.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation);
        await caller.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation);

        Assert.Equal([new ExchangeCost(3, "USD", 1, 0), ExchangeCost.None], (await gateway.RecordsAsync(2, Cancellation)).Select(record => record.Cost));
    }

    [Theory]
    [InlineData(true, 200, 1)]
    [InlineData(false, 502, 0)]
    public async Task A_request_that_a_kept_connection_lost_is_billed_whatever_becomes_of_its_repetition(bool listensStill, int status, int unknown)
    {
        var stop = () => { };
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is not null)
            {
                await connection.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                if (connection.Index == 0)
                {
                    await connection.ReadRequestAsync();
                    stop();
                    return;
                }
            }
        });
        stop = listensStill ? stop : upstream.StopListening;
        await using var gateway = await StartAsync(upstream, "cost: { per_request: 0.002 USD }");
        using var caller = new HttpClient();
        await caller.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation);
        using var answer = await caller.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation);

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal([new ExchangeCost(0.002m, "USD", 1, 0), new ExchangeCost(0.002m, "USD", 1, unknown)], (await gateway.RecordsAsync(2, Cancellation)).Select(record => record.Cost));
    }

    [Fact]
    public async Task A_call_to_an_api_without_a_price_is_unknown_and_not_free()
    {
        await using var upstream = ScriptedUpstream.Answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        await using var gateway = await StartAsync(upstream, "max_request_body: 1KB");
        using var caller = new HttpClient();
        await caller.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation);
        Assert.True((await gateway.RecordsAsync(1, Cancellation))[0].IsCostUnknown);

        var total = await SeriesTotalAsync(caller, gateway, 1);
        Assert.Empty(total.GetProperty("cost").EnumerateObject());
        Assert.Equal(1, total.GetProperty("cost_unknown").GetInt32());
        Assert.Contains("""tidegate_cost_unknown_exchanges_total{api="provider"} 1""", await caller.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation), StringComparison.Ordinal);
    }

    private static async Task<JsonElement> SeriesTotalAsync(HttpClient caller, TestGateway gateway, int exchanges)
    {
        // Sums are saved each second.
        for (var tries = 0; ; tries++)
        {
            using var series = JsonDocument.Parse(await caller.GetStringAsync($"http://{gateway["admin"]}/api/v1/series?last=1h", Cancellation));
            var total = series.RootElement.GetProperty("total");
            if (total.GetProperty("exchanges").GetInt32() == exchanges)
            {
                return total.Clone();
            }

            Assert.True(tries < 600, total.GetRawText());
            await Task.Delay(100, Cancellation);
        }
    }

    private Task<TestGateway> StartAsync(ScriptedUpstream upstream, string keys) => TestGateway.StartAsync(string.Create(CultureInfo.InvariantCulture, $$"""
        listeners: { egress: { address: 127.0.0.1:0 } }
        apis: [{ name: provider, direction: egress, hosts: [provider.test], base_path: /provider, upstream: { destinations: [http://127.0.0.1:{{upstream.Port}}] }, {{keys}} }]
        """), Cancellation, exchanges: _exchanges);
}
