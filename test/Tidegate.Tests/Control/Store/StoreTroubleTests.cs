using DuckDB.NET.Data;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Log;
using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Rollups;
using Tidegate.Control.Store.Segments;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Xunit;

namespace Tidegate.Tests.Control.Store;

/// <summary>What can be wrong with the store's files, its disk and its clock, and what is kept nevertheless.</summary>
public sealed class StoreTroubleTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 11, 26, 10, 15, 0, TimeSpan.Zero);

    private readonly FakeTimeProvider _time = new(Start);
    private readonly string _directory = Directory.CreateTempSubdirectory("tidegate-store-").FullName;
    private readonly List<string> _log = [];
    private readonly Random _random = new(1);
    private ulong _id;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task What_came_right_after_a_slow_save_is_counted_soon_although_nothing_else_comes()
    {
        await using var store = ExchangeStore.Open(Settings(), _log.Add, new SlowTime());
        store.Start();
        await AddAsync(store, 10);
        await UntilAsync(store, 10);
        await AddAsync(store, 5);
        await UntilAsync(store, 15);
    }

    [Theory]
    [InlineData("a save")]
    [InlineData("a save of what came since")]
    [InlineData("the end of an hour's log")]
    public async Task A_disk_that_stands_still_while_it_is_flushed_holds_nobody_up_who_records(string during)
    {
        using var isFlushing = new SemaphoreSlim(0);
        using var goesOn = new SemaphoreSlim(0);
        var standsStill = false;
        var settings = Settings(maxBytes: 1 << 30) with
        {
            FlushToDisk = file =>
            {
                if (Volatile.Read(ref standsStill))
                {
                    isFlushing.Release();
                    goesOn.Wait();
                }

                RandomAccess.FlushToDisk(file);
            },
        };
        await using var store = ExchangeStore.Open(settings, _log.Add, _time);
        await AddAsync(store, 100);
        if (during != "a save")
        {
            store.BringToDisk(isLast: false);
            await AddAsync(store, 100);
            _time.Advance(during == "the end of an hour's log" ? TimeSpan.FromHours(1) : TimeSpan.Zero);
        }

        Volatile.Write(ref standsStill, true);
        var bringing = Task.Factory.StartNew(() => store.BringToDisk(isLast: false), Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        var flushes = 0;
        while (await Task.WhenAny(bringing, isFlushing.WaitAsync(Cancellation)) != bringing)
        {
            flushes++;
            for (var i = 0; i < 20; i++)
            {
                // The disk goes on only when all of these have ended.
                await Task.Run(() => AddAsync(store, 10), Cancellation).WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
            }

            goesOn.Release();
        }

        await bringing;
        Volatile.Write(ref standsStill, false);
        store.BringToDisk(isLast: false);
        Assert.True(flushes > 0);
        Assert.Equal(0, store.Failures);
        Assert.Equal((long)_id, await CountAsync(store, from: Start.AddHours(-1)));
    }

    [Fact]
    public async Task A_directory_that_another_process_uses_is_not_used_by_a_second()
    {
        await using var store = Open();
        Assert.Throws<IOException>(() => Open());
    }

    [Fact]
    public async Task Sums_that_are_broken_at_the_start_are_set_aside_and_begin_anew_with_what_is_in_the_log()
    {
        await using (var store = Open())
        {
            await AddAsync(store, 100);
            store.BringToDisk(isLast: false);
        }

        // The head is left, so that it opens; what is behind it is not what it was.
        Break(Path.Combine(_directory, RollupDatabase.FileName), from: 4_096);
        await using var next = Open();
        next.BringToDisk(isLast: false);
        Assert.Equal(100, await CountAsync(next));
        Assert.Contains(_log, line => line.Contains("rollups.db.corrupt", StringComparison.Ordinal));
        Assert.True(File.Exists(Path.Combine(_directory, "rollups.db.corrupt")));
    }

    [Fact]
    public async Task Sums_that_break_while_they_are_used_begin_anew_and_what_comes_later_is_counted()
    {
        await using var store = Open();
        await AddAsync(store, 100);
        store.BringToDisk(isLast: false);
        _time.Advance(TimeSpan.FromHours(2));
        store.BringToDisk(isLast: false);
        Break(Path.Combine(_directory, RollupDatabase.FileName), from: 0);
        File.Delete(Path.Combine(_directory, RollupDatabase.FileName + "-wal"));
        await Assert.ThrowsAsync<Microsoft.Data.Sqlite.SqliteException>(() => CountAsync(store));
        for (var tries = 0; tries < 3; tries++)
        {
            await AddAsync(store, 10);
            store.BringToDisk(isLast: false);
        }

        Assert.Contains(_log, line => line.Contains("rollups.db.corrupt", StringComparison.Ordinal));

        Assert.InRange(await CountAsync(store), 30, 130);
        Assert.Equal(130, (await FindAsync(store)).Count);
    }

    [Fact]
    public async Task A_database_that_somebody_else_has_locked_is_not_broken()
    {
        await using var store = Open();
        using var other = new Microsoft.Data.Sqlite.SqliteConnection(store.RollupConnection);
        other.Open();
        using (var hold = other.CreateCommand())
        {
            hold.CommandText = "PRAGMA busy_timeout = 0; BEGIN IMMEDIATE";
            hold.ExecuteNonQuery();
        }

        await AddAsync(store, 50);
        store.BringToDisk(isLast: false);
        Assert.Equal(1, store.Failures);
        other.Close();
        await AddAsync(store, 5);
        store.BringToDisk(isLast: false);
        Assert.Equal(55, await CountAsync(store));
        Assert.Equal(2, _log.Count);
    }

    [Fact]
    public async Task A_log_of_a_later_version_is_set_aside_and_named_and_the_store_goes_on()
    {
        await using (var store = Open())
        {
            await AddAsync(store, 20);
        }

        var log = Directory.EnumerateFiles(_directory, "*.log").Order(StringComparer.Ordinal).First();
        var later = new ByteSink();
        later.Reserve(LogFrame.HeadBytes);
        later.Number(1UL);
        LogFrame.Seal(later);
        var frame = later.Written.ToArray();
        await using (var file = new FileStream(log, FileMode.Append))
        {
            // Whole, and no record in it.
            file.Write(frame);
        }

        await using var next = Open();
        await AddAsync(next, 10);
        Assert.Equal(30, (await FindAsync(next)).Count);
        next.BringToDisk(isLast: false);
        Assert.Equal(30, await CountAsync(next));
        Assert.Equal(30, (await FindAsync(next)).Count);
        Assert.Contains("log.corrupt", Assert.Single(_log), StringComparison.Ordinal);
        Assert.Equal(0, next.Failures);
    }

    [Theory]
    [InlineData("a frame's content", true)]
    [InlineData("a frame's content", false)]
    [InlineData("a frame's mark", false)]
    [InlineData("a frame's length", false)]
    [InlineData("two frames", false)]
    [InlineData("the first frame", true)]
    public async Task A_log_that_is_broken_in_the_middle_costs_what_is_broken_and_is_set_aside_and_named(string what, bool areSumsSaved)
    {
        var store = Open();
        for (var frame = 0; frame < 20; frame++)
        {
            await AddAsync(store, 1);
        }

        if (areSumsSaved)
        {
            store.BringToDisk(isLast: false);
        }

        await KillAsync(store);

        var log = Directory.EnumerateFiles(_directory, "*.log").Single();
        var (bytes, frames) = Frames(log);
        int[] broken = what switch { "two frames" => [6, 7], "the first frame" => [0], _ => [6] };
        foreach (var frame in broken)
        {
            bytes[frames[frame] + (what switch { "a frame's mark" => 1, "a frame's length" => 5, _ => 40 })] ^= 0x10;
        }

        await File.WriteAllBytesAsync(log, bytes, Cancellation);
        var left = 20 - broken.Length;
        await using var next = Open();
        Assert.Equal(left, (await FindAsync(next)).Count);
        next.BringToDisk(isLast: false);

        Assert.Equal(areSumsSaved ? 20 : left, await CountAsync(next));
        Assert.Equal(left, (await FindAsync(next)).Count);
        Assert.True(File.Exists(log + SegmentFile.Corrupt));
        Assert.Contains(Path.GetFileName(log) + SegmentFile.Corrupt, Assert.Single(_log), StringComparison.Ordinal);
        Assert.Equal(1, next.SetAsideFiles);
    }

    [Fact]
    public async Task A_broken_log_is_set_aside_also_when_the_process_dies_right_after_its_segment_was_made()
    {
        byte[] bytes;
        string log;
        await using (var store = Open())
        {
            for (var frame = 0; frame < 20; frame++)
            {
                await AddAsync(store, 1);
            }

            log = store.Files.Logs[^1].Path;
            (bytes, var frames) = Frames(log);
            bytes[frames[6] + 40] ^= 0x10;
            await File.WriteAllBytesAsync(log, bytes, Cancellation);
            await SegmentAsync(store);
        }

        // As if neither had happened yet.
        File.Delete(log + SegmentFile.Corrupt);
        await File.WriteAllBytesAsync(log, bytes, Cancellation);
        _log.Clear();
        await using var next = Open();
        Assert.False(File.Exists(log));
        Assert.True(File.Exists(log + SegmentFile.Corrupt));
        Assert.Single(_log);
        Assert.Equal(19, (await FindAsync(next)).Count);
        Assert.Equal(20, await CountAsync(next));
    }

    [Fact]
    public async Task A_log_that_cannot_be_read_is_set_aside_when_its_segment_is_complete_and_the_store_opens()
    {
        string log;
        await using (var store = Open())
        {
            await AddAsync(store, 10);
            log = store.Files.Logs[^1].Path;
            await SegmentAsync(store);
            Assert.Single(store.Files.Segments);
        }

        // Whoever opens it gets an error from the system.
        File.CreateSymbolicLink(log, log);
        await using var next = Open();
        Assert.Equal(1, next.SetAsideFiles);
        Assert.Contains(_log, line => line.Contains(Path.GetFileName(log) + SegmentFile.Corrupt, StringComparison.Ordinal));
        Assert.Equal(10, (await FindAsync(next)).Count);
    }

    [Fact]
    public async Task A_disk_that_is_full_before_segments_are_made_keeps_no_room_from_searches()
    {
        var isFull = false;
        var settings = Settings() with
        {
            FlushToDisk = file => (isFull ? throw new IOException("No space left on device") : (Action)(() => RandomAccess.FlushToDisk(file)))(),
            WriteToDisk = (file, bytes, offset) => (isFull ? throw new IOException("No space left on device") : (DiskWrite)RandomAccess.Write)(file, bytes, offset),
        };
        await using var store = ExchangeStore.Open(settings, _log.Add, _time);
        var search = store.Memory.Ask(EngineMemory.Search);
        await AddAsync(store, 10);
        await SegmentAsync(store);
        Assert.True(store.Memory.IsWanted);

        await AddAsync(store, 10);
        _time.Advance(TimeSpan.FromHours(1));
        isFull = true;
        search.Dispose();
        store.BringToDisk(isLast: false);
        Assert.True(store.Failures > 0);
        Assert.Equal(0, store.Memory.Taken);

        isFull = false;
        store.BringToDisk(isLast: false);
        Assert.Equal(2, store.Files.Segments.Count);
        Assert.Equal(0, store.Memory.Taken);
    }

    [Fact]
    public async Task Whoever_waits_for_room_has_their_turn_between_two_logs_of_a_backlog()
    {
        await using var store = Open();
        var first = store.Memory.Ask(EngineMemory.Search);
        for (var hour = 0; hour < 3; hour++)
        {
            await AddAsync(store, 10);
            await SegmentAsync(store);
        }

        var second = store.Memory.Ask(EngineMemory.Search);
        first.Dispose();
        Assert.False(second.IsTaken);
        store.BringToDisk(isLast: false);
        Assert.True(second.IsTaken);
        Assert.Single(store.Files.Segments);

        second.Dispose();
        store.BringToDisk(isLast: false);
        Assert.Equal(3, store.Files.Segments.Count);
        Assert.Equal(0, store.Memory.Taken);
    }

    [Fact]
    public async Task A_tail_that_was_torn_is_cut_off_and_nothing_is_set_aside()
    {
        var store = Open();
        await AddAsync(store, 5);
        await AddAsync(store, 5);
        await KillAsync(store);

        var log = Directory.EnumerateFiles(_directory, "*.log").Single();
        var (bytes, frames) = Frames(log);
        await File.WriteAllBytesAsync(log, bytes[..(frames[1] + 50)], Cancellation);
        await using var next = Open();
        next.BringToDisk(isLast: false);
        Assert.Equal(5, (await FindAsync(next)).Count);
        Assert.Equal(5, await CountAsync(next));
        Assert.Empty(_log);
        Assert.Empty(Directory.EnumerateFiles(_directory, "*" + SegmentFile.Corrupt));
    }

    [Fact]
    public async Task A_segment_of_an_earlier_version_is_searched_without_the_columns_that_it_has_not()
    {
        await using var store = Open();
        await AddAsync(store, 40);
        await SegmentAsync(store);
        var path = Assert.Single(store.Files.Segments).Path;
        using (var database = new DuckDBConnection("DataSource=:memory:"))
        {
            database.Open();
            using var command = database.CreateCommand();
            command.CommandText = $"COPY (SELECT * EXCLUDE (region, cache_purges) FROM read_parquet('{path}')) TO '{path}.old' (FORMAT parquet)";
            command.ExecuteNonQuery();
        }

        File.Move(path + ".old", path, overwrite: true);
        await AddAsync(store, 10);
        await SegmentAsync(store);
        var found = await FindAsync(store);
        Assert.Equal(50, found.Count);
        Assert.All(found.Where(record => record.Id <= 40), record => Assert.Equal(("", 0), (record.Region, record.CachePurges)));
        Assert.Empty(_log);
    }

    [Fact]
    public async Task A_search_that_was_ended_sets_nothing_aside()
    {
        await using var store = Open();
        await AddAsync(store, 40);
        await SegmentAsync(store);
        await using var reader = new StoreReader(store, _time);
        using var ended = new CancellationTokenSource();
        await ended.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reader.FindAsync(Everything(), ended.Token));
        using var engine = new SegmentEngine(_directory);
        Assert.ThrowsAny<OperationCanceledException>(() => engine.Find(Everything(), store.Files.Segments, [], ended.Token));
        Assert.ThrowsAny<OperationCanceledException>(() => SegmentCheck.Broken(_directory, store.Files.Segments, ended.Token));
        Assert.Single(store.Files.Segments);
    }

    [Fact]
    public async Task A_segment_that_is_gone_is_not_called_broken()
    {
        await using var store = Open();
        await AddAsync(store, 40);
        await SegmentAsync(store);
        var segment = Assert.Single(store.Files.Segments);
        File.Delete(segment.Path);
        Assert.Empty(SegmentCheck.Broken(_directory, [segment], Cancellation));
    }

    [Fact]
    public async Task Small_segments_become_one_and_nothing_is_found_twice_whenever_the_process_dies()
    {
        await using (var store = Open())
        {
            for (var hour = 0; hour < 7; hour++)
            {
                await AddAsync(store, 30);
                await SegmentAsync(store);
            }

            Assert.Equal(7, store.Files.Segments.Count);
            var parts = store.Files.Segments.ToDictionary(segment => segment.Path, segment => File.ReadAllBytes(segment.Path));
            await AddAsync(store, 30);
            await SegmentAsync(store);
            var whole = Assert.Single(store.Files.Segments);
            Assert.Equal((1, 8), (whole.First, whole.Last));
            Assert.Equal(240, (await FindAsync(store)).Count);

            // It died before the parts were deleted.
            foreach (var (path, bytes) in parts)
            {
                await File.WriteAllBytesAsync(path, bytes, Cancellation);
            }
        }

        await using var next = Open();
        Assert.Single(next.Files.Segments);
        var found = await FindAsync(next);
        Assert.Equal(240, found.Select(record => record.Id).Distinct().Count());
        Assert.Equal(240, found.Count);
        Assert.Single(Directory.EnumerateFiles(_directory, "*.parquet"));
    }

    [Fact]
    public async Task Numbers_of_logs_are_not_used_again_when_everything_was_let_go_of()
    {
        await using (var store = Open())
        {
            await AddAsync(store, 30);
            await SegmentAsync(store);
            _time.Advance(TimeSpan.FromDays(40));
            store.BringToDisk(isLast: false);
            Assert.Empty(store.Files.Segments);
            await AddAsync(store, 10);
        }

        foreach (var log in Directory.EnumerateFiles(_directory, "*.log"))
        {
            File.Delete(log);
        }

        await using var next = Open();
        Assert.True(next.Files.Logs[^1].Sequence > 2);
        await AddAsync(next, 5);
        next.BringToDisk(isLast: false);
        Assert.Equal(15, await CountAsync(next, from: _time.GetUtcNow().AddDays(-1)));
    }

    [Fact]
    public async Task A_clock_that_goes_back_a_day_loses_and_doubles_nothing()
    {
        var store = Open();
        await AddAsync(store, 100);
        store.BringToDisk(isLast: false);
        await store.DisposeAsync();

        var earlier = new FakeTimeProvider(Start.AddDays(-1));
        await using var next = ExchangeStore.Open(Settings(), _log.Add, earlier);
        for (var hour = 0; hour < 3; hour++)
        {
            await next.WriteAsync(StoreRecords.Batch(_random, ref _id, earlier.GetUtcNow(), 50), Cancellation);
            earlier.Advance(TimeSpan.FromHours(1));
            next.BringToDisk(isLast: false);
        }

        Assert.Equal(250, await CountAsync(next));
        Assert.Equal(250, (await FindAsync(next)).Count);
        Assert.Empty(_log);
    }

    [Fact]
    public async Task What_is_new_is_kept_rather_than_what_a_wrong_clock_made_look_new()
    {
        // A year ahead, for an hour; and the room for a few segments only.
        var wrong = new FakeTimeProvider(Start.AddYears(1));
        await using (var store = ExchangeStore.Open(Settings(100_000), _log.Add, wrong))
        {
            await store.WriteAsync(StoreRecords.Batch(_random, ref _id, wrong.GetUtcNow(), 600), Cancellation);
            wrong.Advance(TimeSpan.FromHours(1));
            store.BringToDisk(isLast: false);
        }

        await using var next = ExchangeStore.Open(Settings(100_000), _log.Add, _time);
        for (var hour = 0; hour < 6; hour++)
        {
            await AddAsync(next, 600);
            await SegmentAsync(next);
        }

        Assert.DoesNotContain(next.Files.Segments, segment => segment.From > _time.GetUtcNow());
        Assert.NotEmpty(next.Files.Segments);
    }

    [Fact]
    public async Task What_was_set_aside_is_let_go_of_like_the_rest()
    {
        await using var store = Open();
        var aside = Path.Combine(_directory, "0000000099-1-2.parquet.corrupt");
        await File.WriteAllBytesAsync(aside, new byte[1_000], Cancellation);
        File.SetLastWriteTimeUtc(aside, Start.UtcDateTime);
        store.BringToDisk(isLast: false);
        Assert.True(File.Exists(aside));
        _time.Advance(TimeSpan.FromDays(31));
        store.BringToDisk(isLast: false);
        Assert.False(File.Exists(aside));
    }

    [Fact]
    public async Task Names_without_end_are_summed_up_as_other_and_the_sum_stays_right()
    {
        await using var store = Open();
        for (var block = 0; block < 120; block++)
        {
            var batch = Enumerable.Range(0, 100).Select(i => StoreRecords.Next(_random, ++_id, Start) with { Consumer = new Consumer($"caller-{block}-{i}", "", ""), Total = TimeSpan.Zero }).ToArray();
            await store.WriteAsync(batch, Cancellation);
            if (block % 50 == 0)
            {
                store.BringToDisk(isLast: false);
            }
        }

        store.BringToDisk(isLast: false);
        await using var reader = new StoreReader(store, _time);
        var result = await reader.SeriesAsync(new SeriesQuery { From = Start.AddDays(-1), To = Start.AddDays(1), Step = TimeSpan.FromHours(1), GroupBy = ["consumer"], Top = SeriesQuery.MaxGroups }, Cancellation);
        Assert.Equal(12_000, result.Total.Cell.Count);
        Assert.Equal(RollupKey.Other, result.Groups[0].Key[0]);
        Assert.InRange(result.OmittedGroups + result.Groups.Count, 4_000, 5_001);
    }

    [Fact]
    public void A_delta_of_whatever_names_has_a_bound()
    {
        var delta = new RollupDelta();
        for (var i = 0; i < 40_000; i++)
        {
            delta.Add(StoreRecords.Next(_random, 1, Start.AddMinutes(i % 2)) with
            {
                Api = "api-" + _random.Next(100),
                Endpoint = "e" + i,
                Consumer = new Consumer("c" + i, "t" + i, "e" + i),
                Destination = "d" + i,
                Region = "r" + i,
                Code = "c" + i,
                Reason = "r" + i,
                Total = TimeSpan.Zero,
            });
        }

        Assert.Equal(40_000, delta.Cells.Sum(cell => cell.Value.Count));
        Assert.InRange(delta.Cells.Count(), RollupDelta.MaxKinds, RollupDelta.MaxKinds + 2_000);
        delta.Clear();
        Assert.True(delta.IsEmpty);
        Assert.Empty(delta.Cells);
    }

    [Fact]
    public async Task Sums_are_bounded_by_their_share_of_the_size_and_the_oldest_minutes_go_first()
    {
        await using var store = Open();
        var kinds = Enumerable.Range(0, 800).Select(i => StoreRecords.Next(_random, 1, Start) with { Consumer = new Consumer("caller-" + i, "", ""), Total = TimeSpan.Zero }).ToList();
        for (var minute = 0; minute < 60; minute++)
        {
            var batch = kinds.Select(kind => kind with { Id = ++_id, Started = _time.GetUtcNow() }).ToArray();
            await store.WriteAsync(batch, Cancellation);
            _time.Advance(TimeSpan.FromMinutes(1));
            store.BringToDisk(isLast: false);
        }

        Assert.InRange(new FileInfo(Path.Combine(_directory, RollupDatabase.FileName)).Length, 1_000_000, 9_000_000);
        Assert.InRange(await CountAsync(store, step: TimeSpan.FromMinutes(1)), 800, 47_999);
    }

    private static ExchangeSearch Everything() => new() { From = Start.AddDays(-10), To = Start.AddYears(2), Limit = ExchangeSearch.MaxLimit };

    private static void Break(string path, int from)
    {
        var bytes = File.ReadAllBytes(path);
        for (var i = from; i < bytes.Length; i++)
        {
            bytes[i] ^= 0x55;
        }

        File.WriteAllBytes(path, bytes);
    }

    /// <summary>Leaves the files as they are now, whatever is done at an orderly end.</summary>
    private async Task KillAsync(ExchangeStore store)
    {
        var files = Directory.EnumerateFiles(_directory).Where(file => Path.GetFileName(file) != "lock").ToDictionary(file => file, File.ReadAllBytes);
        await store.DisposeAsync();
        foreach (var file in Directory.EnumerateFiles(_directory))
        {
            File.Delete(file);
        }

        foreach (var (path, bytes) in files)
        {
            await File.WriteAllBytesAsync(path, bytes, Cancellation);
        }
    }

    /// <summary>What is in a log, and where its frames begin.</summary>
    private static (byte[] Bytes, IReadOnlyList<int> Frames) Frames(string log)
    {
        var bytes = File.ReadAllBytes(log);
        var frames = new List<int>();
        for (var at = 0; at < bytes.Length; at += LogFrame.HeadBytes + LogFrame.ContentLength(bytes.AsSpan(at)))
        {
            frames.Add(at);
        }

        return (bytes, frames);
    }

    private StoreSettings Settings(long maxBytes = 1 << 20) => new() { Directory = _directory, MaxBytes = maxBytes, MaxAge = TimeSpan.FromDays(30) };

    /// <summary>Much sooner than the minute after which the store looks by itself.</summary>
    private async Task UntilAsync(ExchangeStore store, long count)
    {
        for (var tries = 0; await CountAsync(store) != count; tries++)
        {
            Assert.True(tries < 600, $"{count} exchanges were not counted.");
            await Task.Delay(100, Cancellation);
        }
    }

    private ExchangeStore Open() => ExchangeStore.Open(Settings(), _log.Add, _time);

    private async Task AddAsync(ExchangeStore store, int count) => await store.WriteAsync(StoreRecords.Batch(_random, ref _id, _time.GetUtcNow(), count), Cancellation);

    private Task SegmentAsync(ExchangeStore store)
    {
        _time.Advance(TimeSpan.FromHours(1));
        store.BringToDisk(isLast: false);
        return Task.CompletedTask;
    }

    private async Task<IReadOnlyList<ExchangeRecord>> FindAsync(ExchangeStore store)
    {
        await using var reader = new StoreReader(store, _time);
        return await reader.FindAsync(Everything(), Cancellation);
    }

    private async Task<long> CountAsync(ExchangeStore store, DateTimeOffset? from = null, TimeSpan? step = null)
    {
        await using var reader = new StoreReader(store, _time);
        var query = new SeriesQuery { From = from ?? Start.AddDays(-5), To = _time.GetUtcNow().AddHours(1), Step = step ?? TimeSpan.FromHours(1) };
        return (await reader.SeriesAsync(step is null ? query : query with { From = query.To.AddHours(-4) }, Cancellation)).Total.Cell.Count;
    }

    /// <summary>Whatever lies between two looks at the clock takes two seconds.</summary>
    private sealed class SlowTime() : FakeTimeProvider(StoreTroubleTests.Start)
    {
        private long _looks;

        public override long GetTimestamp() => Interlocked.Increment(ref _looks) * 2 * TimestampFrequency;
    }
}
