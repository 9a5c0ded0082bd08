using System.Text.Json;
using DuckDB.NET.Data;
using Tidegate.Control.Store;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>Exchanges as they end, as files, and against the time before.</summary>
public sealed class ExportTests : IDisposable
{
    private readonly string _exchanges = Directory.CreateTempSubdirectory("tidegate-export-tests-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_exchanges, recursive: true);

    [Fact]
    public async Task A_tail_shows_what_fits_as_it_ends()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream);
        using var caller = new HttpClient();
        using var answer = await caller.GetAsync($"http://{gateway["admin"]}/api/v1/exchanges/tail?path=/watched", HttpCompletionOption.ResponseHeadersRead, Cancellation);
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType!.MediaType);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(Cancellation));
        Assert.StartsWith(":", await reader.ReadLineAsync(Cancellation), StringComparison.Ordinal);
        await caller.GetStringAsync($"http://{gateway["ingress"]}/other", Cancellation);
        await caller.GetStringAsync($"http://{gateway["ingress"]}/watched/1", Cancellation);

        string? line;
        do
        {
            line = await reader.ReadLineAsync(Cancellation);
        }
        while (line?.StartsWith("data: ", StringComparison.Ordinal) == false);
        using var exchange = JsonDocument.Parse(line!["data: ".Length..]);
        Assert.Equal("/watched/1", exchange.RootElement.GetProperty("path").GetString());
    }

    [Fact]
    public async Task What_was_kept_is_exported_as_csv_and_parquet_by_format_and_by_accept()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream);
        using var caller = new HttpClient();
        for (var i = 0; i < 5; i++)
        {
            await caller.GetStringAsync($"http://{gateway["ingress"]}/a,b/{i}", Cancellation);
        }

        await gateway.RecordsAsync(5, Cancellation);
        var search = $"http://{gateway["admin"]}/api/v1/exchanges/search?api=orders";
        var lines = (await caller.GetStringAsync(search + "&format=csv&limit=3", Cancellation)).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(4, lines.Length);
        Assert.StartsWith("time,exchange,direction,api,", lines[0], StringComparison.Ordinal);
        Assert.Contains(",\"/a,b/4\",", lines[1], StringComparison.Ordinal);

        using var asked = new HttpRequestMessage(HttpMethod.Get, search);
        asked.Headers.Add("Accept", "application/vnd.apache.parquet");
        using var answer = await caller.SendAsync(asked, Cancellation);
        Assert.Equal("application/vnd.apache.parquet", answer.Content.Headers.ContentType!.MediaType);
        var file = Path.Combine(_exchanges, "export.bin");
        await File.WriteAllBytesAsync(file, await answer.Content.ReadAsByteArrayAsync(Cancellation), Cancellation);
        await using var engine = new DuckDBConnection("DataSource=:memory:");
        await engine.OpenAsync(Cancellation);
        await using var command = engine.CreateCommand();
        command.CommandText = $"SELECT count(*), min(path) FROM read_parquet('{file}')";
        await using var row = await command.ExecuteReaderAsync(Cancellation);
        Assert.True(await row.ReadAsync(Cancellation));
        Assert.Equal((5, "/a,b/0"), (row.GetInt64(0), row.GetString(1)));

        using var wrong = await caller.GetAsync(search + "&format=xml", Cancellation);
        Assert.Equal(400, (int)wrong.StatusCode);
        using var tooMany = await caller.GetAsync(search + "&format=csv&limit=100001", Cancellation);
        Assert.Equal(400, (int)tooMany.StatusCode);
    }

    [Fact]
    public async Task A_file_of_several_pages_is_whole()
    {
        const int Kept = 6_000;
        await using (var store = ExchangeStore.Open(new StoreSettings { Directory = _exchanges, MaxBytes = 1 << 30, MaxAge = TimeSpan.FromDays(30) }, static _ => { }, TimeProvider.System))
        {
            var started = DateTimeOffset.UtcNow.AddMinutes(-5);
            await store.WriteAsync(Enumerable.Range(1, Kept).Select(i => TestRecords.Ingress with { Id = (ulong)i, Started = started.AddMilliseconds(i) }).ToArray(), Cancellation);
        }

        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream);
        using var caller = new HttpClient();
        var lines = (await caller.GetStringAsync($"http://{gateway["admin"]}/api/v1/exchanges/search?format=csv&limit=100000", Cancellation)).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);

        Assert.Equal(Kept, lines.Skip(1).Select(line => line.Split(',')[1]).Distinct().Count());
    }

    [Fact]
    public async Task Sums_stand_beside_those_of_the_time_before_and_in_a_table()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream);
        using var caller = new HttpClient();
        await caller.GetStringAsync($"http://{gateway["ingress"]}/a", Cancellation);
        await gateway.RecordsAsync(1, Cancellation);
        for (var tries = 0; ; tries++)
        {
            using var series = JsonDocument.Parse(await caller.GetStringAsync($"http://{gateway["admin"]}/api/v1/series?group_by=api&compare=previous", Cancellation));
            if (series.RootElement.GetProperty("total").GetProperty("exchanges").GetInt32() == 1)
            {
                Assert.Equal(0, series.RootElement.GetProperty("previous").GetProperty("exchanges").GetInt32());
                Assert.Equal(0, series.RootElement.GetProperty("groups")[0].GetProperty("previous").GetProperty("exchanges").GetInt32());
                break;
            }

            Assert.True(tries < 600, series.RootElement.GetRawText());
            await Task.Delay(100, Cancellation);
        }

        var lines = (await caller.GetStringAsync($"http://{gateway["admin"]}/api/v1/series?group_by=api,status&format=csv", Cancellation)).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.StartsWith("time,api,status,exchanges,", lines[0], StringComparison.Ordinal);
        Assert.Contains(",orders,200,1,", Assert.Single(lines.Skip(1)), StringComparison.Ordinal);
        using var wrong = await caller.GetAsync($"http://{gateway["admin"]}/api/v1/series?compare=next", Cancellation);
        Assert.Equal(400, (int)wrong.StatusCode);
    }

    private Task<TestGateway> StartAsync(EchoUpstream upstream) => TestGateway.StartAsync($$"""
        listeners: { ingress: { address: 127.0.0.1:0 } }
        apis: [{ name: orders, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }]
        """, Cancellation, exchanges: _exchanges);
}
