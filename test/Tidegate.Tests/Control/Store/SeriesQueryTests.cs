using Microsoft.Extensions.Time.Testing;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Queries;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.Tests.Control.Store;

/// <summary>What is read of the sums, and how much of it is built.</summary>
public sealed class SeriesQueryTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 11, 2, 10, 15, 0, TimeSpan.Zero);

    private readonly FakeTimeProvider _time = new(Start);
    private readonly string _root = Directory.CreateTempSubdirectory("tidegate-series-").FullName;
    private ulong _id;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task A_day_three_weeks_ago_is_read_from_hours()
    {
        await using var store = await KeepAsync(TestRecords.Ingress, TestRecords.Egress);
        _time.Advance(TimeSpan.FromDays(21));
        store.BringToDisk(isLast: false);
        await using var reader = new StoreReader(store, _time);
        var (from, to, now) = (Start.AddHours(-12), Start.AddHours(12), _time.GetUtcNow());

        Assert.Equal(TimeSpan.FromMinutes(15), SeriesQuery.StepFor(from, to, Start));
        Assert.Equal(TimeSpan.FromHours(1), SeriesQuery.StepFor(from, to, now));
        Assert.Equal(2, (await reader.SeriesAsync(new SeriesQuery { From = from, To = to, Step = SeriesQuery.StepFor(from, to, now) }, Cancellation)).Total.Cell.Count);
        Assert.Equal("minutes are kept for 8 days: for what is older, step is one hour or whole hours", new SeriesQuery { From = from, To = to, Step = TimeSpan.FromMinutes(5) }.Problem(now));
    }

    [Fact]
    public async Task Queries_about_one_time_are_answered_with_one_reading_as_each_is_alone()
    {
        var random = new Random(7);
        await using var store = await KeepAsync([.. Enumerable.Range(0, 400).Select(_ => StoreRecords.Next(random, 0, Start))]);
        await using var reader = new StoreReader(store, _time);
        SeriesQuery[] queries =
        [
            Query([]), Query(["direction"]), Query(["api", "status"]) with { HasPoints = false }, Query(["consumer"], ("direction", "egress")), Query(["code"], ("direction", "ingress"), ("status", "5xx"), ("status", "429")),
        ];

        var together = await reader.SeriesAsync(queries, Cancellation);

        for (var i = 0; i < queries.Length; i++)
        {
            Assert.Equal(Text(await reader.SeriesAsync(queries[i], Cancellation)), Text(together[i]));
        }

        Assert.Equal(400, together[0].Total.Cell.Count);
        Assert.InRange(together[4].Total.Cell.Count, 1, 200);
    }

    [Fact]
    public async Task Grouped_totals_build_no_points()
    {
        await using var store = await KeepAsync(TestRecords.Ingress, TestRecords.Egress, TestRecords.Egress);
        await using var reader = new StoreReader(store, _time);

        var result = await reader.SeriesAsync(Query(["api"]) with { HasPoints = false }, Cancellation);

        Assert.Equal(["stripe 2", "orders 1"], result.Groups.Select(group => $"{group.Key[0]} {group.Total.Cell.Count}"));
        Assert.All(result.Groups, group => Assert.Empty(group.Points));
    }

    [Fact]
    public async Task What_is_beyond_the_largest_groups_is_shown_as_others()
    {
        await using var store = await KeepAsync([.. Enumerable.Range(1, 5).SelectMany(i => Enumerable.Repeat(TestRecords.Egress with { Api = $"api-{i}", Status = 500 }, i))]);
        await using var reader = new StoreReader(store, _time);

        var result = await reader.SeriesAsync(Query(["api"]) with { Top = 2 }, Cancellation);

        Assert.Equal(["api-5", "api-4"], result.Groups.Select(group => group.Key[0]));
        Assert.Equal((3, 6, 6), (result.OmittedGroups, result.Others.Cell.Count, result.Others.Errors));
        Assert.Equal(15, result.Total.Cell.Count);
    }

    [Fact]
    public async Task A_client_that_hangs_up_is_no_error_of_the_api()
    {
        await using var store = await KeepAsync(TestRecords.Ingress with { Outcome = Outcome.Failed, Status = 0, Reason = "client", Code = "client_aborted" }, TestRecords.Ingress with { Status = 500 });
        await using var reader = new StoreReader(store, _time);

        var result = await reader.SeriesAsync(Query([]), Cancellation);

        Assert.Equal((2, 1, 1), (result.Total.Cell.Count, result.Total.Errors, result.Total.ClientFailures));
    }

    [Fact]
    public void More_points_than_a_process_has_memory_for_are_refused_with_what_to_narrow()
    {
        var builder = new SeriesBuilder(new SeriesQuery { From = Start, To = Start.AddDays(1), Step = TimeSpan.FromMinutes(1), GroupBy = ["api"] }, new SeriesPoints());
        var tooWide = Assert.Throws<TooWideException>(() =>
        {
            for (var i = 0; i < 150_000; i++)
            {
                builder.PointOf(builder.SumOf([$"api-{i / 1_000}"]), Start.UtcTicks + (i * TimeSpan.TicksPerMinute));
            }
        });

        Assert.Contains("filter by an API", tooWide.Message, StringComparison.Ordinal);
    }

    private static SeriesQuery Query(IReadOnlyList<string> groupBy, params IReadOnlyList<(string, string)> filters) =>
        new() { From = Start.AddHours(-1), To = Start.AddHours(1), Step = TimeSpan.FromMinutes(1), GroupBy = groupBy, Filters = filters };

    private static string Text(SeriesResult result) => string.Join('\n', result.Groups.Select(group =>
        $"{string.Join(' ', group.Key)}: {Text(group.Total)} {string.Join(", ", group.Points.Select(point => $"{point.Begin:HH:mm} {Text(point)}"))}").Append($"{Text(result.Total)} {result.OmittedGroups}"));

    private static string Text(SeriesPoint point) => $"{point.Cell.Count} {point.Errors} {point.Rejected} {point.ClientErrors} {point.Cell.ResponseBytes} {point.Cell.Latency.Quantile(0.9)}";

    private async Task<ExchangeStore> KeepAsync(params ExchangeRecord[] records)
    {
        var store = ExchangeStore.Open(new StoreSettings { Directory = _root, MaxBytes = 1 << 30, MaxAge = TimeSpan.FromDays(30) }, _ => { }, _time);
        await store.WriteAsync(records.Select(record => record with { Id = ++_id, Started = _time.GetUtcNow() }).ToArray(), Cancellation);
        store.BringToDisk(isLast: false);
        return store;
    }
}
