using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Log;
using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Rollups;
using Tidegate.Recording;
using Xunit;

namespace Tidegate.Tests.Control.Store;

/// <summary>Sums of an earlier version, which had a column for each and other names for the tables: an update neither loses nor doubles anything.</summary>
public sealed class EarlierSumsTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 11, 26, 10, 15, 0, TimeSpan.Zero);

    private static readonly string[] Earlier = ["minutes", "quarter_hours", "hours", "quarter_days"];

    private readonly FakeTimeProvider _time = new(Start);
    private readonly string _directory = Directory.CreateTempSubdirectory("tidegate-store-").FullName;
    private readonly List<ExchangeRecord> _truth = [];
    private readonly Random _random = new(1);
    private ulong _id;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private string Connection => $"Data Source={Path.Combine(_directory, RollupDatabase.FileName)};Pooling=False";

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task They_are_added_to_what_comes_later_in_the_same_minutes_and_hours()
    {
        await using (var store = Open())
        {
            await AddAsync(store, 400);
        }

        MakeEarlier();
        await using var next = Open();
        await HoldsAsync(next);
        await AddAsync(next, 300);
        next.BringToDisk(isLast: false);
        await HoldsAsync(next);
        _time.Advance(TimeSpan.FromMinutes(20));
        await AddAsync(next, 300);
        next.BringToDisk(isLast: false);
        await HoldsAsync(next);
        await using var reader = new StoreReader(next, _time);
        Assert.Equal(Start, await reader.BeginsAsync());
    }

    [Fact]
    public async Task What_they_have_is_filtered_by_what_is_asked_and_by_who_asks()
    {
        await using (var store = Open())
        {
            await AddAsync(store, 400);
        }

        MakeEarlier();
        await using var next = Open();
        await AddAsync(next, 300);
        next.BringToDisk(isLast: false);
        await using var reader = new StoreReader(next, _time);
        var result = await reader.SeriesAsync(Everything() with { Filters = [("api", "stripe")], Tenants = ["acme"] }, Cancellation);
        Assert.Equal(_truth.Count(record => record.Api == "stripe" && record.Consumer.Tenant == "acme"), result.Total.Cell.Count);
        Assert.Equal(0, (await reader.SeriesAsync(Everything() with { Tenants = [] }, Cancellation)).Total.Cell.Count);
    }

    [Fact]
    public async Task A_second_update_after_the_earlier_version_ran_once_more_counts_everything_once()
    {
        await using (var store = Open())
        {
            await AddAsync(store, 200);
        }

        // As when an update is taken back: the earlier version adds to its own tables.
        for (var turn = 0; turn < 2; turn++)
        {
            MakeEarlier();
            await using var next = Open();
            await AddAsync(next, 100);
            next.BringToDisk(isLast: false);
            await HoldsAsync(next);
        }
    }

    [Fact]
    public async Task Their_tables_go_when_all_that_is_in_them_is_too_old()
    {
        await using (var store = Open())
        {
            await AddAsync(store, 50);
        }

        MakeEarlier();
        await using var next = Open();
        next.BringToDisk(isLast: false);
        Assert.Equal(Earlier.Order(), Tables());
        _time.Advance(TimeSpan.FromDays(9));
        next.BringToDisk(isLast: false);
        Assert.Equal(["hours", "quarter_days"], Tables());
        _time.Advance(TimeSpan.FromDays(400));
        next.BringToDisk(isLast: false);
        Assert.Empty(Tables());
    }

    private static SeriesQuery Everything() => new() { From = Start.AddHours(-2), To = Start.AddHours(3), Step = TimeSpan.FromMinutes(15), GroupBy = ["status"] };

    private ExchangeStore Open() => ExchangeStore.Open(new StoreSettings { Directory = _directory, MaxBytes = 1 << 20, MaxAge = TimeSpan.FromDays(30) }, static line => Assert.Fail(line), _time);

    private async Task AddAsync(ExchangeStore store, int count)
    {
        var batch = StoreRecords.Batch(_random, ref _id, _time.GetUtcNow(), count);
        _truth.AddRange(batch);
        await store.WriteAsync(batch, Cancellation);
    }

    /// <summary>Every width says the same as the list of everything.</summary>
    private async Task HoldsAsync(ExchangeStore store)
    {
        var expected = new RollupCell();
        _truth.ForEach(record => expected.Add(in record));
        await using var reader = new StoreReader(store, _time);
        foreach (var minutes in (int[])[1, 15, 60, 360])
        {
            var result = await reader.SeriesAsync(Everything() with { Step = TimeSpan.FromMinutes(minutes) }, Cancellation);
            Assert.Equal(Text(expected), Text(result.Total.Cell));
            Assert.Equal(_truth.GroupBy(record => $"{record.Status}").Select(group => (group.Key, (long)group.Count())).Order(), result.Groups.Select(group => (group.Key[0], group.Total.Cell.Count)).Order());
        }
    }

    private static string Text(RollupCell cell)
    {
        var sums = new long[RollupCell.SumCount];
        cell.CopySums(sums);
        var shares = ((double[])[0, 0.5, 0.9, 0.99, 1]).Select(share => cell.Latency.Quantile(share));
        return $"{string.Join(' ', sums)}; {cell.Latency.Count}: {string.Join(' ', shares)}; {cell.Clients.Estimate()}; {string.Join(' ', cell.Costs.Amounts.Order())}";
    }

    private List<string> Tables()
    {
        using var database = new SqliteConnection(Connection);
        database.Open();
        return [.. RollupDatabase.EarlierTables(database).Select(width => width.Table).Order()];
    }

    /// <summary>Makes of the database what version 0.1 would have written, to the letter.</summary>
    private void MakeEarlier()
    {
        const string Sums = "count, attempts, retries, request_bytes, response_bytes, queue_ticks, policy_ticks, connect_ticks, first_byte_ticks, total_ticks, longest_ticks";
        using var database = new SqliteConnection(Connection);
        database.Open();
        foreach (var (earlier, cells) in Earlier.Zip((string[])["minute_cells", "quarter_hour_cells", "hour_cells", "quarter_day_cells"]))
        {
            Run($"CREATE TABLE IF NOT EXISTS {earlier} (begin INTEGER NOT NULL, key INTEGER NOT NULL, {Sums.Replace(",", " INTEGER NOT NULL,", StringComparison.Ordinal)} INTEGER NOT NULL, sketches BLOB NOT NULL, PRIMARY KEY (begin, key)) WITHOUT ROWID");
            var rows = new List<(long Begin, long Key, RollupCell Cell)>();
            using (var read = database.CreateCommand())
            {
                read.CommandText = $"SELECT begin, key, cell FROM {cells}";
                using var row = read.ExecuteReader();
                while (row.Read())
                {
                    var cell = new RollupCell();
                    cell.AddWritten(row.GetFieldValue<byte[]>(2), new TextPool());
                    rows.Add((row.GetInt64(0), row.GetInt64(1), cell));
                }
            }

            foreach (var (begin, key, cell) in rows)
            {
                Save(earlier, begin, key, cell);
            }

            Run($"DROP TABLE {cells}");
        }

        void Run(string sql)
        {
            using var command = database.CreateCommand();
            command.CommandText = sql;
            command.ExecuteNonQuery();
        }

        void Save(string table, long begin, long key, RollupCell cell)
        {
            // The earlier version had loaded what was there, and replaces it.
            using (var load = database.CreateCommand())
            {
                load.CommandText = $"SELECT sketches, {Sums} FROM {table} WHERE begin = {begin} AND key = {key}";
                using var row = load.ExecuteReader();
                if (row.Read())
                {
                    cell.AddSaved([.. Enumerable.Range(1, RollupCell.SumCount).Select(row.GetInt64)], row.GetFieldValue<byte[]>(0), new TextPool());
                }
            }

            var sums = new long[RollupCell.SumCount];
            cell.CopySums(sums);
            var sketches = new ByteSink();
            cell.WriteSketches(sketches);
            using var save = database.CreateCommand();
            save.CommandText = $"INSERT OR REPLACE INTO {table} (begin, key, {Sums}, sketches) VALUES ({begin}, {key}, {string.Join(", ", sums)}, $sketches)";
            save.Parameters.AddWithValue("$sketches", sketches.Written.ToArray());
            save.ExecuteNonQuery();
        }
    }
}
