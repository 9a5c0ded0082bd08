using Microsoft.Extensions.Time.Testing;
using Tidegate.Control.Live;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Segments;
using Tidegate.Exchanges;
using Tidegate.Host;
using Tidegate.Recording;
using Xunit;

namespace Tidegate.Tests.Control.Store;

/// <summary>What the store says against a list of everything that it was given, after whatever happened to it.</summary>
public sealed class ExchangeStoreTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 11, 26, 10, 15, 0, TimeSpan.Zero);

    private readonly FakeTimeProvider _time = new(Start);
    private readonly string _root = Directory.CreateTempSubdirectory("tidegate-store-").FullName;
    private readonly List<ExchangeRecord> _truth = [];
    private readonly List<string> _log = [];
    private readonly Random _random = new(1);
    private ulong _id;
    private int _copies;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Sums_and_search_know_every_exchange_once_whatever_became_of_its_file()
    {
        await using var store = Open();
        for (var hour = 0; hour < 3; hour++)
        {
            await AddAsync(store, 700);
            store.BringToDisk(isLast: false);
            await HoldsAsync(store);

            // The hour's log becomes a segment.
            _time.Advance(TimeSpan.FromHours(1));
            store.BringToDisk(isLast: false);
        }

        Assert.Equal(3, store.Files.Segments.Count);
        await AddAsync(store, 50);
        await HoldsAsync(store, waitsForSums: true);
        Assert.Empty(_log);
    }

    [Theory]
    [InlineData("nothing saved")]
    [InlineData("saved")]
    [InlineData("saved and more")]
    [InlineData("torn")]
    [InlineData("hour over")]
    [InlineData("segment made and log still there")]
    [InlineData("segment unfinished")]
    public async Task A_process_that_is_killed_loses_nothing_that_was_written_and_counts_nothing_twice(string moment)
    {
        var store = Open();
        await AddAsync(store, 300);
        if (moment != "nothing saved")
        {
            store.BringToDisk(isLast: false);
        }

        if (moment is "saved and more" or "torn")
        {
            await AddAsync(store, 300);
        }

        var log = store.Files.Logs[^1].Path;
        var kept = File.ReadAllBytes(log);
        if (moment is "hour over" or "segment made and log still there")
        {
            _time.Advance(TimeSpan.FromHours(1));
            await AddAsync(store, 100);
            store.BringToDisk(isLast: false);
        }

        var copy = Copy();
        switch (moment)
        {
            case "torn":
                File.AppendAllBytes(Path.Combine(copy, Path.GetFileName(log)), kept.AsSpan(0, 100));
                break;
            case "segment made and log still there":
                File.WriteAllBytes(Path.Combine(copy, Path.GetFileName(log)), kept);
                break;
            case "segment unfinished":
                File.WriteAllText(Path.Combine(copy, "0000000001-1-2.parquet.unfinished"), "half");
                break;
        }

        await store.DisposeAsync();
        await using (var next = Open(copy))
        {
            next.BringToDisk(isLast: false);
            await HoldsAsync(next);
            await AddAsync(next, 20);
            next.BringToDisk(isLast: false);
            await HoldsAsync(next);
        }

        // And once more: what was counted again must not be counted again.
        await using var last = Open(copy);
        await HoldsAsync(last);
        Assert.DoesNotContain(Directory.EnumerateFiles(copy), file => file.EndsWith(SegmentFile.Unfinished, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_stop_and_a_start_in_the_same_minute_are_one_minute()
    {
        for (var life = 0; life < 4; life++)
        {
            await using var store = Open(Path.Combine(_root, "same"));
            await AddAsync(store, 40);
        }

        await using var last = Open(Path.Combine(_root, "same"));
        await HoldsAsync(last);
    }

    [Fact]
    public async Task A_segment_that_cannot_be_read_is_set_aside_and_named_and_the_rest_is_served()
    {
        await using var store = Open();
        await AddAsync(store, 200);
        _time.Advance(TimeSpan.FromHours(1));
        store.BringToDisk(isLast: false);
        var lost = _truth.ToList();
        await AddAsync(store, 100);
        _time.Advance(TimeSpan.FromHours(1));
        store.BringToDisk(isLast: false);
        var broken = store.Files.Segments[0];
        var bytes = await File.ReadAllBytesAsync(broken.Path, Cancellation);
        for (var i = 4; i < bytes.Length - 4; i++)
        {
            bytes[i] ^= 0x55;
        }

        await File.WriteAllBytesAsync(broken.Path, bytes, Cancellation);
        await using var reader = new StoreReader(store, _time);
        var found = await reader.FindAsync(Everything(), Cancellation);

        Assert.Equal(_truth.Skip(lost.Count).Select(record => record.Id).Order(), found.Select(record => record.Id).Order());
        Assert.Contains(Path.GetFileName(broken.Path), Assert.Single(_log), StringComparison.Ordinal);
        Assert.True(File.Exists(broken.Path + SegmentFile.Corrupt));
    }

    [Fact]
    public async Task A_segment_of_an_older_program_lacks_columns_and_is_searched_all_the_same()
    {
        await using var store = Open();
        await AddAsync(store, 100);
        _time.Advance(TimeSpan.FromHours(1));
        store.BringToDisk(isLast: false);
        var segment = store.Files.Segments[0].Path;
        await using (var database = new DuckDB.NET.Data.DuckDBConnection("DataSource=:memory:"))
        {
            await database.OpenAsync(Cancellation);
            await using var command = database.CreateCommand();
            command.CommandText = $"COPY (SELECT * EXCLUDE (cost, currency, cost_attempts, cost_unknown, auth) FROM read_parquet('{segment}')) TO '{segment}.old' (FORMAT parquet)";
            await command.ExecuteNonQueryAsync(Cancellation);
        }

        File.Move(segment + ".old", segment, overwrite: true);
        var old = _truth.Select(record => record with { Cost = ExchangeCost.None, Auth = AuthFields.None }).ToList();
        _truth.Clear();
        await AddAsync(store, 30);
        await using var reader = new StoreReader(store, _time);

        Assert.Equal(old.Concat(_truth).Select(StoreRecords.Text).Order(), (await reader.FindAsync(Everything(), Cancellation)).Select(StoreRecords.Text).Order());
        Assert.Empty(_log);
    }

    [Fact]
    public async Task What_is_too_old_or_too_much_goes_the_oldest_first_and_the_sums_stay()
    {
        await using var store = Open(maxBytes: 150_000);
        for (var hour = 0; hour < 12; hour++)
        {
            await AddAsync(store, 400);
            _time.Advance(TimeSpan.FromHours(1));
            store.BringToDisk(isLast: false);
        }

        var (segments, logs) = store.Files;
        Assert.InRange(segments.Sum(segment => segment.Bytes) + logs.Sum(log => log.Length), 60_000, 150_000);
        Assert.Equal(12, segments.Max(segment => segment.Last));
        Assert.Equal(segments.Count, Directory.EnumerateFiles(store.Folder, "*.parquet").Count());
        await using var reader = new StoreReader(store, _time);
        Assert.Equal(12 * 400, (await reader.SeriesAsync(AllOf(TimeSpan.FromHours(1)), Cancellation)).Total.Cell.Count);

        _time.Advance(TimeSpan.FromDays(40));
        store.BringToDisk(isLast: false);
        Assert.Empty(store.Files.Segments);
        Assert.Equal(12 * 400, (await reader.SeriesAsync(AllOf(TimeSpan.FromDays(1)), Cancellation)).Total.Cell.Count);
    }

    [Fact]
    public async Task Pages_of_a_search_have_every_exchange_once()
    {
        await using var store = Open();
        await AddAsync(store, 500);
        _time.Advance(TimeSpan.FromHours(1));
        store.BringToDisk(isLast: false);
        await AddAsync(store, 500);
        await using var reader = new StoreReader(store, _time);
        var pages = new List<ExchangeRecord>();
        while (true)
        {
            var page = await reader.FindAsync(Everything() with { Limit = 90, After = pages.Count == 0 ? null : (pages[^1].Started, pages[^1].Id) }, Cancellation);
            if (page.Count == 0)
            {
                break;
            }

            pages.AddRange(page);
        }

        Assert.Equal(_truth.OrderByDescending(record => record.Started).ThenByDescending(record => record.Id).Select(record => record.Id), pages.Select(record => record.Id));
    }

    [Fact]
    public async Task A_search_finds_what_fits_and_values_are_values_whatever_is_in_them()
    {
        await using var store = Open();
        await AddAsync(store, 600);
        _time.Advance(TimeSpan.FromHours(1));
        store.BringToDisk(isLast: false);
        await AddAsync(store, 100);
        await using var reader = new StoreReader(store, _time);
        (ExchangeSearch Search, Func<ExchangeRecord, bool> Fits)[] searches =
        [
            (Everything() with { Api = "stripe" }, record => record.Api == "stripe"),
            (Everything() with { Api = "" }, record => record.Api.Length == 0),
            (Everything() with { Status = (500, 599) }, record => record.Status is >= 500 and < 600),
            (Everything() with { Consumer = "café", Outcome = "failed" }, record => record is { Consumer.Name: "café", Outcome: Outcome.Failed }),
            (Everything() with { Path = "/12" }, record => record.Path.Contains("/12", StringComparison.Ordinal)),
            (Everything() with { AtLeast = TimeSpan.FromMilliseconds(300) }, record => record.Total >= TimeSpan.FromMilliseconds(300)),
            (Everything() with { Id = _truth[17].Id }, record => record.Id == _truth[17].Id),
            (Everything() with { Direction = "egress", Method = "BREW", Tenant = "acme" }, record => record is { Direction: Direction.Egress, Method: "BREW", Consumer.Tenant: "acme" }),
            (Everything() with { From = _truth[^50].Started, To = _truth[^20].Started }, record => record.Started >= _truth[^50].Started && record.Started <= _truth[^20].Started),
            (Everything() with { Api = "'; DROP TABLE tail; --" }, _ => false),
            (Everything() with { Path = "%" }, _ => false),
        ];
        foreach (var (search, fits) in searches)
        {
            var found = await reader.FindAsync(search, Cancellation);
            Assert.Equal(_truth.Where(fits).Select(StoreRecords.Text).Order(), found.Select(StoreRecords.Text).Order());
        }
    }

    [Fact]
    public async Task A_frame_goes_over_what_a_write_has_left_that_found_no_room()
    {
        await using var store = Open();
        await AddAsync(store, 10);
        var log = store.Files.Logs[^1].Path;
        await using (var file = new FileStream(log, FileMode.Append, FileAccess.Write, FileShare.ReadWrite))
        {
            file.Write(new byte[50]);
        }

        await AddAsync(store, 10);
        store.BringToDisk(isLast: false);
        await HoldsAsync(store);
    }

    [Fact]
    public async Task A_full_disk_stops_recording_and_not_traffic_says_so_and_what_comes_after_it_is_whole()
    {
        var isFull = false;
        var settings = Settings() with
        {
            WriteToDisk = (file, bytes, offset) =>
            {
                // As a disk does: what there is room for, and then an error.
                RandomAccess.Write(file, Volatile.Read(ref isFull) ? bytes[..(bytes.Length / 2)] : bytes, offset);
                ThrowIf(isFull);
            },
            FlushToDisk = file =>
            {
                ThrowIf(Volatile.Read(ref isFull));
                RandomAccess.FlushToDisk(file);
            },
        };
        await using var store = ExchangeStore.Open(settings, _log.Add, _time);
        var traffic = new RecentExchanges(100);
        await using var recorder = new ExchangeRecorder(_time, [store, traffic], keepQueryValues: false, new SinkFailureLog(_log.Add, _time).Add);
        await RecordAsync(recorder, traffic, 5);
        store.BringToDisk(isLast: false);
        Assert.Empty(_log);

        Volatile.Write(ref isFull, true);
        await RecordAsync(recorder, traffic, 5);
        await RecordAsync(recorder, traffic, 5);
        Assert.True(recorder.SinkFailures.Single(sink => sink.Sink == "store").Failures >= 2);
        Assert.Contains("No space left on device", Assert.Single(_log, line => line.Contains("do not reach the sink store", StringComparison.Ordinal)), StringComparison.Ordinal);
        store.BringToDisk(isLast: false);
        store.BringToDisk(isLast: false);
        Assert.Equal(2, store.Failures);
        Assert.Contains("No space left on device", Assert.Single(_log, line => line.Contains("cannot bring what it has to the disk", StringComparison.Ordinal)), StringComparison.Ordinal);

        Volatile.Write(ref isFull, false);
        await RecordAsync(recorder, traffic, 5);
        store.BringToDisk(isLast: false);
        Assert.Contains(_log, line => line.Contains("can write again", StringComparison.Ordinal));
        Assert.Equal(0, recorder.Dropped);
        await using var reader = new StoreReader(store, _time);
        Assert.Equal([1, 2, 3, 4, 5, 16, 17, 18, 19, 20], (await reader.FindAsync(Everything(), Cancellation)).Select(record => (int)record.Id).Order());
        Assert.Equal(10, (await reader.SeriesAsync(AllOf(TimeSpan.FromHours(1)), Cancellation)).Total.Cell.Count);

        _time.Advance(TimeSpan.FromHours(1));
        store.BringToDisk(isLast: false);
        Assert.Equal(0, store.SetAsideFiles);
        Assert.Equal(10, (await reader.FindAsync(Everything(), Cancellation)).Count);
    }

    [Fact]
    public async Task A_process_that_is_killed_between_any_two_steps_of_an_hours_end_loses_nothing_and_counts_nothing_twice()
    {
        // Each flush is between two steps: after a log was begun, before and after sums are saved, before a segment is in its place, before eight of them are one.
        var deaths = new List<(string Copy, int Truth)>();
        var settings = Settings() with
        {
            FlushToDisk = file =>
            {
                deaths.Add((Copy(), _truth.Count));
                RandomAccess.FlushToDisk(file);
            },
        };
        await using (var store = ExchangeStore.Open(settings, _log.Add, _time))
        {
            for (var hour = 0; hour < 8; hour++)
            {
                await AddAsync(store, 20);
                _time.Advance(TimeSpan.FromHours(1));
                store.BringToDisk(isLast: false);
            }

            Assert.Single(store.Files.Segments);
        }

        Assert.True(deaths.Count > 8 * 3, $"{deaths.Count} deaths");
        Assert.Contains(deaths, death => Directory.EnumerateFiles(death.Copy, "*" + SegmentFile.Unfinished).Any());
        var all = _truth.ToList();
        foreach (var (copy, truth) in deaths)
        {
            _truth.Clear();
            _truth.AddRange(all.Take(truth));
            await using (var next = Open(copy))
            {
                await HoldsAsync(next, waitsForSums: true);
            }

            await using var last = Open(copy);
            await HoldsAsync(last, isShort: true);
        }

        Assert.Empty(_log);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(4)]
    public async Task A_log_that_ends_before_what_is_counted_of_it_is_not_counted_again(int framesLeft)
    {
        var lengths = new List<long> { 0 };
        string copy;
        await using (var store = Open())
        {
            for (var frame = 0; frame < 5; frame++)
            {
                await AddAsync(store, 10);
                lengths.Add(store.Files.Logs[^1].Length);
            }

            store.BringToDisk(isLast: false);
            copy = Copy();
            await using var log = new FileStream(Path.Combine(copy, Path.GetFileName(store.Files.Logs[^1].Path)), FileMode.Open, FileAccess.ReadWrite);
            log.SetLength(lengths[framesLeft] + 7);
        }

        for (var life = 0; life < 3; life++)
        {
            await using var next = Open(copy);
            var counted = 50 + (life * 20);
            await using var reader = new StoreReader(next, _time);
            Assert.Equal(counted, (await reader.SeriesAsync(AllOf(TimeSpan.FromHours(1)), Cancellation)).Total.Cell.Count);
            await AddAsync(next, 20);
            next.BringToDisk(isLast: false);
            Assert.Equal(counted + 20, (await reader.SeriesAsync(AllOf(TimeSpan.FromHours(1)), Cancellation)).Total.Cell.Count);
            Assert.Equal((framesLeft * 10) + ((life + 1) * 20), (await reader.FindAsync(Everything(), Cancellation)).Count);
        }

        Assert.Empty(_log);
    }

    private static void ThrowIf(bool isFull)
    {
        if (isFull)
        {
            throw new IOException("No space left on device");
        }
    }

    private async Task RecordAsync(ExchangeRecorder recorder, RecentExchanges traffic, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = System.Net.IPAddress.Loopback }, Client = null!, Id = ++_id, Method = "GET", Target = new ExchangeTarget("http", "api.example.com", 80, "/", null) };
            exchange.Timings.Received = exchange.Timings.Ended = _time.GetTimestamp();
            exchange.Answer(Outcome.Forwarded, 200);
            recorder.Record(exchange);
        }

        for (var started = TimeProvider.System.GetTimestamp(); traffic.Find(static _ => true, 100).Count < (int)_id; await Task.Delay(1, Cancellation))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(30), "The records did not come.");
        }
    }

    private static ExchangeSearch Everything() => new() { From = Start.AddDays(-1), To = Start.AddDays(60), Limit = ExchangeSearch.MaxLimit };

    [Fact]
    public async Task A_clock_that_is_set_back_between_two_processes_takes_nothing_from_the_sums()
    {
        var ahead = new FakeTimeProvider(Start.AddHours(7));
        var record = StoreRecords.Next(_random, 1, ahead.GetUtcNow());
        await using (var before = ExchangeStore.Open(Settings(), _log.Add, ahead))
        {
            await before.WriteAsync(new[] { record }, Cancellation);
        }

        await using var after = Open();
        await after.WriteAsync(new[] { record with { Id = 2 } }, Cancellation);
        after.BringToDisk(isLast: false);
        await using var reader = new StoreReader(after, _time);
        foreach (var step in (TimeSpan[])[TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(15), TimeSpan.FromHours(1), TimeSpan.FromHours(6)])
        {
            Assert.Equal(2, (await reader.SeriesAsync(new SeriesQuery { From = Start, To = Start.AddHours(12), Step = step }, Cancellation)).Total.Cell.Count);
        }
    }

    private SeriesQuery AllOf(TimeSpan step) => new() { From = Start.AddDays(-1), To = _time.GetUtcNow().AddMinutes(1), Step = step };

    private ExchangeStore Open(string? directory = null, long maxBytes = 1 << 30) => ExchangeStore.Open(Settings(directory, maxBytes), _log.Add, _time);

    private StoreSettings Settings(string? directory = null, long maxBytes = 1 << 30) => new() { Directory = directory ?? Path.Combine(_root, "store"), MaxBytes = maxBytes, MaxAge = TimeSpan.FromDays(30) };

    private async Task AddAsync(ExchangeStore store, int count)
    {
        for (var left = count; left > 0; left -= 64)
        {
            var batch = StoreRecords.Batch(_random, ref _id, _time.GetUtcNow(), Math.Min(64, left));
            await store.WriteAsync(batch, Cancellation);
            _truth.AddRange(batch);
            _time.Advance(TimeSpan.FromSeconds(2));
        }
    }

    /// <summary>What a killed process leaves: the files as they are, with whatever is in them.</summary>
    private string Copy()
    {
        var copy = Directory.CreateDirectory(Path.Combine(_root, "copy" + ++_copies)).FullName;
        foreach (var file in Directory.EnumerateFiles(Path.Combine(_root, "store")).Where(file => Path.GetFileName(file) != "lock"))
        {
            File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }

        return copy;
    }

    private async Task HoldsAsync(ExchangeStore store, bool waitsForSums = false, bool isShort = false)
    {
        if (waitsForSums)
        {
            store.BringToDisk(isLast: false);
        }

        await using var reader = new StoreReader(store, _time);
        var found = new List<ExchangeRecord>();
        do
        {
            found.AddRange(await reader.FindAsync(Everything() with { After = found.Count == 0 ? null : (found[^1].Started, found[^1].Id) }, Cancellation));
        }
        while (found.Count % ExchangeSearch.MaxLimit == 0 && found.Count is > 0 and < 20_000);
        Assert.Equal(_truth.Select(StoreRecords.Text).Order(), found.Select(StoreRecords.Text).Order());

        foreach (var step in (TimeSpan[])[TimeSpan.FromMinutes(5), TimeSpan.FromHours(1)])
        {
            foreach (var groupBy in isShort ? (string[][])[[]] : [[], ["api"], ["consumer", "status"], ["direction", "outcome", "destination", "region"]])
            {
                var result = await reader.SeriesAsync(AllOf(step) with { GroupBy = groupBy, Top = SeriesQuery.MaxGroups }, Cancellation);
                Assert.Equal(_truth.Count, result.Total.Cell.Count);
                Assert.Equal(_truth.Sum(record => record.ResponseBytes), result.Total.Cell.ResponseBytes);
                Assert.Equal(_truth.Sum(record => (long)record.Attempts), result.Total.Cell.Attempts);
                Assert.Equal(_truth.Where(record => record.Cost.Currency.Length > 0).GroupBy(record => record.Cost.Currency).Select(currency => (currency.Key, currency.Sum(record => record.Cost.Amount))).Order(), result.Total.Cell.Costs.Amounts.Order());
                Assert.Equal((_truth.Sum(record => (long)record.Cost.Billed), _truth.Count(record => record.IsCostUnknown)), (result.Total.Cell.Costs.Billed, result.Total.Cell.Costs.Unknown));
                Assert.Equal(_truth.Count(record => record.Outcome == Outcome.Failed || (record.Status >= 500 && record.Outcome != Outcome.Rejected)), result.Total.Errors);
                Assert.Equal(_truth.Count(record => record.Status != 101 && record.Method != "CONNECT"), result.Total.Cell.Latency.Count);
                Assert.Equal(result.Total.Cell.Count, result.Groups.Sum(group => group.Total.Cell.Count));
                Assert.All(result.Groups, group => Assert.Equal(group.Total.Cell.Count, group.Points.Sum(point => point.Cell.Count)));
                if (groupBy is ["api"])
                {
                    Assert.Equal(_truth.GroupBy(record => record.Api).Select(api => (api.Key, (long)api.Count())).Order(), result.Groups.Select(group => (group.Key[0], group.Total.Cell.Count)).Order());
                }
            }
        }
    }
}
