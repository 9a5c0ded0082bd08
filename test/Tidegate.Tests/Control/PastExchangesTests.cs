using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Control.Admin;
using Tidegate.Control.Live;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Postgres;
using Tidegate.Control.Store.Queries;
using Tidegate.Recording;
using Tidegate.Tests.Control.Store;
using Xunit;

namespace Tidegate.Tests.Control;

/// <summary>What strangers may ask of the store, and what they get: an answer, or 400 with what is wrong.</summary>
public sealed class PastExchangesTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 11, 26, 10, 15, 0, TimeSpan.Zero);

    private readonly FakeTimeProvider _time = new(Start);
    private readonly string _directory = Directory.CreateTempSubdirectory("tidegate-store-").FullName;

    private ulong _id;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("?last=400d")]
    [InlineData("?last=-1h")]
    [InlineData("?last=1h&last=2h")]
    [InlineData("?from=2026-11-26T10:00:00Z&to=2026-11-26T09:00:00Z")]
    [InlineData("?from=0001-01-01T00:00:00Z&step=1m")]
    [InlineData("?from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z&step=366d")]
    [InlineData("?from=0001-01-01T00:00:00Z&to=0001-06-01T00:00:00Z&compare=previous")]
    [InlineData("?from=0001-01-02T00:00:00Z&to=0001-01-02T20:00:00Z&compare=previous")]
    [InlineData("?from=yesterday")]
    [InlineData("?compare=previous&format=csv")]
    [InlineData("?step=90s")]
    [InlineData("?step=90m")]
    [InlineData("?step=")]
    [InlineData("?top=0")]
    [InlineData("?top=-1")]
    [InlineData("?top=99999999999999999999")]
    [InlineData("?group_by=api;DROP")]
    [InlineData("?group_by=k.api")]
    [InlineData("?sketches=1")]
    [InlineData("?status=abc")]
    [InlineData("?status=9999")]
    [InlineData("?status=5xx%00")]
    [InlineData("?api=%00")]
    [InlineData("?%27%20OR%201=1")]
    public async Task A_series_that_makes_no_sense_is_refused_with_what_is_wrong(string query)
    {
        var (status, answer) = await AskAsync(query, isSearch: false);
        Assert.Equal(400, status);
        Assert.Contains(answer.GetProperty("code").GetString(), (string[])["parameter_invalid", "query_too_wide"]);
        Assert.InRange(answer.GetProperty("detail").GetString()!.Length, 10, 400);
    }

    [Theory]
    [InlineData("?last=400d")]
    [InlineData("?from=2026-11-26T10:00:00Z&to=2026-11-26T09:00:00Z")]
    [InlineData("?min_ms=NaN")]
    [InlineData("?min_ms=Infinity")]
    [InlineData("?min_ms=-Infinity")]
    [InlineData("?min_ms=-5")]
    [InlineData("?min_ms=1e300")]
    [InlineData("?limit=0")]
    [InlineData("?limit=1001")]
    [InlineData("?status=1000")]
    [InlineData("?status=xx5")]
    [InlineData("?after=1-2-3")]
    [InlineData("?after=ffffffffffffffff-0")]
    [InlineData("?after=7fffffffffffffff-0")]
    [InlineData("?outcome=lost")]
    [InlineData("?api=a&api=b")]
    [InlineData("?path=%00")]
    [InlineData("?nonsense=1")]
    public async Task A_search_that_makes_no_sense_is_refused_with_what_is_wrong(string query)
    {
        var (status, answer) = await AskAsync(query, isSearch: true);
        Assert.Equal(400, status);
        Assert.Equal("parameter_invalid", answer.GetProperty("code").GetString());
        Assert.InRange(answer.GetProperty("detail").GetString()!.Length, 10, 400);
    }

    [Theory]
    [InlineData("?group_by=api,api,status,,api")]
    [InlineData("?from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z&api=x&step=366d&last=1h")]
    [InlineData("?last=366d&step=24h")]
    [InlineData("?api=%27;--&consumer=%22&tenant=%25&endpoint=_&destination=%F0%9F%92%A5")]
    [InlineData("?api=")]
    [InlineData("?api")]
    [InlineData("?status=0&status=5xx&status=404")]
    public async Task A_series_that_is_odd_is_answered(string query)
    {
        var (status, answer) = await AskAsync(query, isSearch: false);
        Assert.True(status == 200 || query.Contains("9999", StringComparison.Ordinal), $"{status}");
        Assert.True(status != 200 || answer.GetProperty("total").GetProperty("exchanges").GetInt64() >= 0);
    }

    [Theory]
    [InlineData("?from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z")]
    [InlineData("?path=&min_ms=0&limit=1000")]
    [InlineData("?api=%27%20OR%20%271%27=%271&path=%25&host=$1&code=%5C")]
    [InlineData("?after=0-0")]
    [InlineData("?after=2bca2875f4373fff-ffffffffffffffff")]
    public async Task A_search_that_is_odd_is_answered(string query) => Assert.Equal(200, (await AskAsync(query, isSearch: true)).Status);

    [Fact]
    public async Task Filters_have_a_bound()
    {
        Assert.Equal(200, (await AskAsync("?" + string.Join('&', Enumerable.Range(0, 50).Select(i => "api=a" + i)), isSearch: false)).Status);
        Assert.Equal(400, (await AskAsync("?" + string.Join('&', Enumerable.Range(0, 1_500).Select(i => "api=a" + i)), isSearch: false)).Status);
    }

    [Fact]
    public async Task Names_may_hold_whatever_separates_names()
    {
        await using var store = Open();
        ulong id = 0;
        var random = new Random(1);
        var records = StoreRecords.Batch(random, ref id, Start, 3);
        records[0] = records[0] with { Api = "a\u001fb", Consumer = new("c", "", "") };
        records[1] = records[1] with { Api = "a", Consumer = new("b\u001fc", "", "") };
        records[2] = records[2] with { Api = "a1:", Consumer = new("", "", "") };
        await store.WriteAsync(records, Cancellation);
        store.BringToDisk(isLast: false);
        await using var reader = new StoreReader(store, _time);
        var result = await reader.SeriesAsync(new SeriesQuery { From = Start.AddDays(-1), To = Start.AddDays(1), Step = TimeSpan.FromHours(1), GroupBy = ["api", "consumer"] }, Cancellation);
        Assert.Equal(records.Select(record => (record.Api, record.Consumer.Name)).Order(), result.Groups.Select(group => (group.Key[0], group.Key[1])).Order());
    }

    [Theory]
    [InlineData("?last=1h&compare=previous", 1)]
    [InlineData("?last=24h&step=1h&compare=previous", 24)]
    [InlineData("?last=168h&step=15m&compare=previous", 168)]
    [InlineData("?last=168h&compare=previous", 168)]
    [InlineData("?last=240h&step=24h&compare=previous", 240)]
    public async Task The_time_before_has_all_of_it_and_nothing_of_the_time_that_is_asked_for(string query, int hours)
    {
        // One in the first minute or hour that is read of the time, and one just as long before: where minutes are not kept any more it is read of hours.
        _time.SetUtcNow(Start.AddSeconds(30));
        var begin = _time.GetUtcNow().AddHours(-hours);
        var records = StoreRecords.Batch(new Random(1), ref _id, begin, 3);
        records[0] = records[0] with { Started = begin.AddSeconds(-10), Total = TimeSpan.Zero };
        records[1] = records[1] with { Started = begin.AddHours(-hours).AddMinutes(5), Total = TimeSpan.Zero };
        records[2] = records[2] with { Started = begin.AddHours(-1), Total = TimeSpan.Zero };
        var answer = await CompareAsync(query, records);
        Assert.Equal((1, 2), (answer.GetProperty("total").GetProperty("exchanges").GetInt32(), answer.GetProperty("previous").GetProperty("exchanges").GetInt32()));
    }

    [Fact]
    public async Task Groups_whose_names_hold_what_separates_names_are_compared_with_themselves()
    {
        var records = StoreRecords.Batch(new Random(1), ref _id, Start.AddHours(-1.5), 2);
        records[0] = records[0] with { Api = "a\u001fb", Consumer = new("c", "", ""), Total = TimeSpan.Zero };
        records[1] = records[1] with { Api = "a", Consumer = new("b\u001fc", "", ""), Total = TimeSpan.Zero };
        records = [.. records, records[0] with { Started = Start.AddMinutes(-5) }];
        var answer = await CompareAsync("?group_by=api,consumer&compare=previous", records);
        Assert.Equal(1, Assert.Single(answer.GetProperty("groups").EnumerateArray()).GetProperty("previous").GetProperty("exchanges").GetInt32());
    }

    [Fact]
    public async Task A_store_that_cannot_be_read_is_said_so()
    {
        await using var store = Open();
        await using var reader = new StoreReader(store, _time);
        await File.WriteAllTextAsync(Path.Combine(_directory, "rollups.db"), "no database", Cancellation);
        File.Delete(Path.Combine(_directory, "rollups.db-wal"));
        var log = new List<string>();
        var (status, answer) = await AskAsync(new PastExchanges(reader, null, new RecentExchanges(10), _time, log.Add), "", isSearch: false);
        Assert.Equal((503, "store_unreadable"), (status, answer.GetProperty("code").GetString()));
        Assert.Single(log);
    }

    [Fact]
    public async Task One_exchange_that_cannot_be_searched_for_is_said_so_and_one_of_a_moment_ago_is_there()
    {
        // Nothing listens there.
        var settings = new StoreSettings { Directory = "", MaxBytes = 1 << 30, MaxAge = TimeSpan.FromDays(30) };
        await using var store = new PostgresStore("Host=127.0.0.1;Port=1;Username=tidegate;Database=tidegate;Timeout=5", settings, _ => { }, _time);
        await using var reader = new StoreReader(store, _time);
        var recent = new RecentExchanges(10);
        await recent.WriteAsync(StoreRecords.Batch(new Random(1), ref _id, Start, 1), Cancellation);
        var log = new List<string>();
        var past = new PastExchanges(reader, null, recent, _time, log.Add);

        var (status, answer) = await AskAsync(context => past.OneAsync(context, 99, static (json, record) => ExchangeJson.Write(json, record)), "");
        Assert.Equal((503, "store_unreadable"), (status, answer.GetProperty("code").GetString()));
        Assert.Single(log);
        Assert.Equal(200, (await AskAsync(context => past.OneAsync(context, 1, static (json, record) => ExchangeJson.Write(json, record)), "")).Status);
    }

    private ExchangeStore Open() => ExchangeStore.Open(new StoreSettings { Directory = _directory, MaxBytes = 1 << 30, MaxAge = TimeSpan.FromDays(30) }, _ => { }, _time);

    private async Task<(int Status, JsonElement Answer)> AskAsync(string query, bool isSearch)
    {
        await using var store = Open();
        await using var reader = new StoreReader(store, _time);
        return await AskAsync(new PastExchanges(reader, null, new RecentExchanges(10), _time, line => throw new InvalidOperationException(line)), query, isSearch);
    }

    private async Task<JsonElement> CompareAsync(string query, params ExchangeRecord[] records)
    {
        await using var store = Open();
        await store.WriteAsync(records, Cancellation);
        store.BringToDisk(isLast: true);
        await using var reader = new StoreReader(store, _time);
        var (status, answer) = await AskAsync(new PastExchanges(reader, null, new RecentExchanges(10), _time, line => throw new InvalidOperationException(line)), query, isSearch: false);
        Assert.Equal(200, status);
        return answer;
    }

    private static Task<(int Status, JsonElement Answer)> AskAsync(PastExchanges past, string query, bool isSearch) => AskAsync(isSearch ? past.SearchAsync : past.SeriesAsync, query);

    private static async Task<(int Status, JsonElement Answer)> AskAsync(Func<HttpContext, Task> ask, string query)
    {
        var context = new DefaultHttpContext();
        context.Features.Set(AdminCaller.Anyone);
        context.Request.Method = "GET";
        context.Request.QueryString = new QueryString(query);
        using var body = new MemoryStream();
        context.Response.Body = body;
        await ask(context);
        using var answer = JsonDocument.Parse(body.ToArray());
        return (context.Response.StatusCode, answer.RootElement.Clone());
    }
}
