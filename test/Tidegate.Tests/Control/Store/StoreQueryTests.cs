using Microsoft.Extensions.Time.Testing;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Segments;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Xunit;

namespace Tidegate.Tests.Control.Store;

/// <summary>What is asked of a store, of either kind, against a list of everything that it was given.</summary>
public abstract class StoreQueryTests
{
    protected static readonly DateTimeOffset Start = new(2026, 11, 26, 10, 15, 0, TimeSpan.Zero);

    private readonly Random _random = new(1);
    private readonly List<ExchangeRecord> _truth = [];
    private ulong _id = (1UL << 63) - 300;

    protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    protected FakeTimeProvider Time { get; } = new(Start);

    private protected static ExchangeSearch Everything => new() { From = Start.AddDays(-1), To = Start.AddDays(60), Limit = ExchangeSearch.MaxLimit };

    [Fact]
    public async Task Sums_of_any_time_and_step_are_those_of_what_ended_in_it()
    {
        await using var store = Open();
        await FillAsync(store);
        await using var reader = new StoreReader(store, Time);
        (DateTimeOffset From, DateTimeOffset To, TimeSpan Step)[] views =
        [
            (Start.AddDays(-1), Start.AddDays(1), TimeSpan.FromHours(1)),
            (Start.AddDays(-1), Start.AddDays(1), TimeSpan.FromHours(6)),
            (Start.AddDays(-3), Start.AddDays(3), TimeSpan.FromDays(1)),
            (Start.AddMinutes(7), Start.AddHours(9), TimeSpan.FromMinutes(15)),
            (Start.AddMinutes(7), Start.AddMinutes(12), TimeSpan.FromMinutes(15)),
            (Start.AddHours(1), Start.AddHours(4), TimeSpan.FromMinutes(1)),
            (Start.AddHours(2), Start.AddHours(13), TimeSpan.FromHours(6)),
        ];
        foreach (var (from, to, step) in views)
        {
            // Minutes, or hours from an hour up, that are in it in part are in it whole.
            var grain = step.Ticks % TimeSpan.TicksPerHour == 0 ? TimeSpan.TicksPerHour : TimeSpan.TicksPerMinute;
            var expected = _truth.Where(record => EndOf(record) >= from.UtcTicks - (from.UtcTicks % grain) && EndOf(record) - (EndOf(record) % grain) < to.UtcTicks).ToList();
            foreach (var groupBy in (string[][])[[], ["api"], ["status", "consumer"], ["direction", "outcome", "destination", "region"]])
            {
                var result = await reader.SeriesAsync(new SeriesQuery { From = from, To = to, Step = step, GroupBy = groupBy, Top = SeriesQuery.MaxGroups }, Cancellation);
                Assert.Equal(expected.Count, result.Total.Cell.Count);
                Assert.Equal(expected.Sum(record => record.ResponseBytes), result.Total.Cell.ResponseBytes);
                Assert.Equal(expected.Count(record => record.Outcome == Outcome.Rejected), result.Total.Rejected);
                Assert.Equal(expected.Count(record => record.Status != 101 && record.Method != "CONNECT"), result.Total.Cell.Latency.Count);
                Assert.Equal(expected.Where(record => record.Cost.Currency == "USD").Sum(record => record.Cost.Amount), result.Total.Cell.Costs.Amounts.FirstOrDefault(cost => cost.Currency == "USD").Amount);
                Assert.Equal(result.Total.Cell.Count, result.Groups.Sum(group => group.Total.Cell.Count));
                Assert.All(result.Groups, group => Assert.Equal(group.Total.Cell.Count, group.Points.Sum(point => point.Cell.Count)));
                if (groupBy is ["status", "consumer"])
                {
                    Assert.Equal(
                        expected.GroupBy(record => (Status: $"{record.Status}", record.Consumer.Name)).Select(group => (group.Key.Status, group.Key.Name, (long)group.Count())).Order(),
                        result.Groups.Select(group => (group.Key[0], group.Key[1], group.Total.Cell.Count)).Order());
                }
            }
        }
    }

    [Fact]
    public async Task The_largest_groups_are_told_apart_and_the_total_has_the_others_too()
    {
        await using var store = Open();
        await FillAsync(store);
        await using var reader = new StoreReader(store, Time);
        var query = new SeriesQuery { From = Start.AddDays(-1), To = Start.AddDays(1), Step = TimeSpan.FromHours(1), GroupBy = ["api", "status"], Top = 3 };
        var result = await reader.SeriesAsync(query, Cancellation);
        var groups = _truth.GroupBy(record => (record.Api, Status: $"{record.Status}")).OrderByDescending(group => group.Count()).ToList();
        Assert.Equal(groups.Count - 3, result.OmittedGroups);
        Assert.Equal(groups.Take(3).Select(group => (long)group.Count()), result.Groups.Select(group => group.Total.Cell.Count));
        Assert.Equal(_truth.Count, result.Total.Cell.Count);
    }

    [Fact]
    public async Task Filters_of_sums_are_values_whatever_is_in_them()
    {
        await using var store = Open();
        await FillAsync(store);
        await using var reader = new StoreReader(store, Time);
        ((string, string)[] Filters, Func<ExchangeRecord, bool> Fits)[] cases =
        [
            ([("api", "stripe")], record => record.Api == "stripe"),
            ([("api", "stripe"), ("api", "github")], record => record.Api is "stripe" or "github"),
            ([("status", "4xx"), ("method", "GET")], record => record.Status is >= 400 and < 500 && record.Method == "GET"),
            ([("status", "0")], record => record.Status == 0),
            ([("consumer", "café")], record => record.Consumer.Name == "café"),
            ([("api", "'; DROP TABLE keys; --")], _ => false),
            ([("api", "@p0")], _ => false),
        ];
        foreach (var (filters, fits) in cases)
        {
            var result = await reader.SeriesAsync(new SeriesQuery { From = Start.AddDays(-1), To = Start.AddDays(1), Step = TimeSpan.FromHours(1), Filters = filters }, Cancellation);
            Assert.Equal(_truth.Count(fits), result.Total.Cell.Count);
        }
    }

    [Fact]
    public async Task A_search_finds_what_fits_and_says_everything_about_it()
    {
        await using var store = Open();
        await FillAsync(store);
        await using var reader = new StoreReader(store, Time);
        ExchangeSearch[] searches =
        [
            Everything with { Api = "stripe" },
            Everything with { Api = "" },
            Everything with { Status = (500, 599) },
            Everything with { Consumer = "café", Outcome = "failed" },
            Everything with { Path = "/12" },
            Everything with { Path = "" },
            Everything with { Path = "%" },
            Everything with { AtLeast = TimeSpan.FromMilliseconds(300) },
            Everything with { Direction = "egress", Method = "BREW", Tenant = "acme" },
            Everything with { Region = "eu", Credential = "first" },
            Everything with { Host = "10.0.0.1", Code = "rate_limited", Environment = "production", Endpoint = "charges" },
            Everything with { Destination = "https://a.test:443" },
            Everything with { Api = "'; DROP TABLE exchanges; --" },
            Everything with { Api = "$1" },
        ];
        foreach (var search in searches)
        {
            var found = await reader.FindAsync(search, Cancellation);
            Assert.Equal(_truth.Where(record => search.Fits(record)).Select(StoreRecords.Text).Order(), found.Select(StoreRecords.Text).Order());
        }

        var one = _truth[17];
        Assert.Equal(StoreRecords.Text(one), StoreRecords.Text(Assert.Single(await reader.FindAsync(Everything with { Id = one.Id }, Cancellation))));
    }

    [Fact]
    public async Task Pages_have_every_exchange_once_and_the_newest_first_also_where_numbers_begin_with_a_one()
    {
        await using var store = Open();
        await FillAsync(store);
        await using var reader = new StoreReader(store, Time);
        var pages = new List<ExchangeRecord>();
        while (true)
        {
            var page = await reader.FindAsync(Everything with { Limit = 90, After = pages.Count == 0 ? null : (pages[^1].Started, pages[^1].Id) }, Cancellation);
            if (page.Count == 0)
            {
                break;
            }

            pages.AddRange(page);
        }

        Assert.Equal(_truth.OrderByDescending(record => record.Started).ThenByDescending(record => record.Id).Select(record => record.Id), pages.Select(record => record.Id));
    }

    [Fact]
    public async Task Where_sums_begin_is_the_minute_of_what_ended_first()
    {
        await using var store = Open();
        await using var reader = new StoreReader(store, Time);
        Assert.Null(await reader.BeginsAsync());
        await FillAsync(store);
        var first = _truth.Min(EndOf);
        Assert.Equal(new DateTimeOffset(first - (first % TimeSpan.TicksPerMinute), TimeSpan.Zero), await reader.BeginsAsync());
    }

    [Fact]
    public async Task A_question_that_was_given_up_ends()
    {
        await using var store = Open();
        await FillAsync(store);
        await using var reader = new StoreReader(store, Time);
        using var ended = new CancellationTokenSource();
        await ended.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reader.SeriesAsync(new SeriesQuery { From = Start, To = Start.AddHours(1), Step = TimeSpan.FromHours(1) }, ended.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reader.FindAsync(Everything, ended.Token));
    }

    /// <summary>A new one, whose clock is <see cref="Time"/>. It may know nothing yet: <see cref="Bring"/> comes first.</summary>
    private protected abstract IExchangeStore Open();

    /// <summary>All that was written can be asked for.</summary>
    private protected abstract void Bring(IExchangeStore store);

    private static long EndOf(ExchangeRecord record) => record.Started.UtcTicks + record.Total.Ticks;

    /// <summary>Ten hours, each of which is longer than it seems because exchanges take a while.</summary>
    private async Task FillAsync(IExchangeStore store)
    {
        for (var hour = 0; hour < 10; hour++)
        {
            for (var minute = 0; minute < 3; minute++)
            {
                var batch = StoreRecords.Batch(_random, ref _id, Time.GetUtcNow(), 25);
                await store.WriteAsync(batch, Cancellation);
                _truth.AddRange(batch);
                Time.Advance(TimeSpan.FromMinutes(minute == 2 ? 48 : 6));
            }

            Bring(store);
        }
    }
}
