using Microsoft.Extensions.Time.Testing;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Segments;
using Xunit;

namespace Tidegate.Tests.Control.Store;

/// <summary>What all engines take together, and that nobody waits for ever for it.</summary>
public sealed class EngineMemoryTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 11, 26, 10, 15, 0, TimeSpan.Zero);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _time = new(Start);
    private readonly string _directory = Directory.CreateTempSubdirectory("tidegate-memory-").FullName;
    private readonly EngineMemory _memory = new();
    private readonly List<string> _log = [];
    private ulong _id;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void A_page_is_drawn_while_somebody_searches_and_an_export_can_search() => Assert.All(
        (int[])[EngineMemory.Search + (2 * EngineMemory.Series), EngineMemory.Export + EngineMemory.Search, EngineMemory.Maker + EngineMemory.Export + EngineMemory.Series, EngineMemory.Maker + (2 * EngineMemory.Series)],
        together => Assert.InRange(together, 0, EngineMemory.Megabytes));

    [Fact]
    public void A_segment_is_not_made_while_somebody_searches_and_whoever_asked_first_is_first()
    {
        var search = _memory.Ask(EngineMemory.Search);
        var maker = _memory.Ask(EngineMemory.Maker);
        var series = _memory.Ask(EngineMemory.Series);
        Assert.Equal((true, false, false), (search.IsTaken, maker.IsTaken, series.IsTaken));
        Assert.True(_memory.IsWanted);

        search.Dispose();
        search.Dispose();
        Assert.Equal((true, true, EngineMemory.Maker + EngineMemory.Series), (maker.IsTaken, series.IsTaken, _memory.Taken));
        maker.Dispose();
        series.Dispose();
        Assert.Equal((0, false), (_memory.Taken, _memory.IsWanted));
    }

    [Fact]
    public async Task Whoever_gives_up_waiting_leaves_the_line()
    {
        var search = _memory.Ask(EngineMemory.Search);
        await Assert.ThrowsAsync<OperationCanceledException>(() => _memory.TakeAsync(EngineMemory.Maker, TimeSpan.FromMilliseconds(10), Cancellation));
        using var series = _memory.Ask(EngineMemory.Series);
        Assert.True(series.IsTaken);
        search.Dispose();
        Assert.Equal(EngineMemory.Series, _memory.Taken);
    }

    [Fact]
    public async Task Whatever_runs_at_once_the_sum_stays_below_the_bound_and_everybody_gets_a_turn()
    {
        using var searches = new SemaphoreSlim(1);
        using var exports = new SemaphoreSlim(1);
        var most = 0;
        var turns = 0;
        async Task TakeAsync(int megabytes, Func<Task>? meanwhile = null)
        {
            using var room = await _memory.TakeAsync(megabytes, Patience, Cancellation);
            InterlockedMax(ref most, _memory.Taken);
            await Task.Yield();
            await (meanwhile?.Invoke() ?? Task.CompletedTask);
            Interlocked.Increment(ref turns);
        }

        async Task SearchAsync()
        {
            await searches.WaitAsync(Cancellation);
            try
            {
                await TakeAsync(EngineMemory.Search);
            }
            finally
            {
                searches.Release();
            }
        }

        async Task ExportAsync()
        {
            await exports.WaitAsync(Cancellation);
            try
            {
                await TakeAsync(EngineMemory.Export, async () =>
                {
                    for (var page = 0; page < 5; page++)
                    {
                        await SearchAsync();
                    }
                });
            }
            finally
            {
                exports.Release();
            }
        }

        await Task.WhenAll(Enumerable.Range(0, 400).Select(i => Task.Run(() => (i % 5) switch
        {
            0 => SearchAsync(),
            1 => ExportAsync(),
            2 => TakeAsync(EngineMemory.Maker),
            _ => TakeAsync(EngineMemory.Series),
        }, Cancellation)));
        Assert.Equal(80 + (80 * 6) + 80 + 160, turns);
        Assert.InRange(most, EngineMemory.Search, EngineMemory.Megabytes);
        Assert.Equal(0, _memory.Taken);
    }

    [Fact]
    public async Task The_store_goes_on_while_there_is_no_room_for_a_segment_and_makes_it_then()
    {
        await using var store = Open();
        await AddAsync(store, 20);
        _time.Advance(TimeSpan.FromHours(1));
        using (_memory.Ask(EngineMemory.Search))
        {
            store.BringToDisk(isLast: false);
            await AddAsync(store, 5);
            store.BringToDisk(isLast: false);
            Assert.Empty(store.Files.Segments);
            Assert.Equal(2, store.Files.Logs.Count);
        }

        store.BringToDisk(isLast: false);
        Assert.Single(store.Files.Segments);
        Assert.Equal((0, 0), (_memory.Taken, store.Failures));
        Assert.Empty(_log);
    }

    [Fact]
    public async Task An_engine_that_is_kept_for_the_next_search_is_given_up_for_whoever_waits()
    {
        await using var store = Open();
        await using var reader = new StoreReader(store, _time);
        await AddAsync(store, 20);
        var all = new ExchangeSearch { From = Start.AddDays(-1), To = Start.AddDays(1) };
        Assert.Equal(20, (await reader.FindAsync(all, Cancellation)).Count);
        Assert.Equal(EngineMemory.Search, _memory.Taken);

        _time.Advance(TimeSpan.FromHours(1));
        store.BringToDisk(isLast: false);
        Assert.Single(store.Files.Segments);
        Assert.Equal(0, _memory.Taken);
        Assert.Equal(20, (await reader.FindAsync(all, Cancellation)).Count);
        Assert.Equal(EngineMemory.Search, _memory.Taken);
    }

    private static void InterlockedMax(ref int most, int value)
    {
        for (var known = Volatile.Read(ref most); value > known;)
        {
            var found = Interlocked.CompareExchange(ref most, value, known);
            if (found == known)
            {
                return;
            }

            known = found;
        }
    }

    private ExchangeStore Open() => ExchangeStore.Open(new StoreSettings { Directory = _directory, MaxBytes = 1 << 30, MaxAge = TimeSpan.FromDays(30), Memory = _memory }, _log.Add, _time);

    private async Task AddAsync(ExchangeStore store, int count) => await store.WriteAsync(StoreRecords.Batch(new Random(1), ref _id, _time.GetUtcNow(), count), Cancellation);
}
