using DuckDB.NET.Data;
using Microsoft.Data.Sqlite;
using Tidegate.Control.Store.Files;
using Tidegate.Control.Store.Rollups;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Queries;

/// <summary>
/// Asks the store, off the threads of whoever asks: few at once, for a limited time, and not at all of the traffic's. The engine that searches segments is made for the first search and given up
/// when nobody has searched for a while.
/// </summary>
internal sealed class StoreReader : IAsyncDisposable
{
    // A page asks several things at once; two cores' worth is what traffic can spare.
    private const int SeriesAtOnce = 2;

    // Segments come and go while one looks; not that often.
    private const int MaxTries = 5;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Queue = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan KeepEngine = TimeSpan.FromMinutes(5);

    private readonly ExchangeStore _store;
    private readonly SemaphoreSlim _series = new(SeriesAtOnce);
    private readonly SemaphoreSlim _search = new(1);
    private readonly ITimer _giveUp;
    private SegmentEngine? _engine;

    public StoreReader(ExchangeStore store, TimeProvider time)
    {
        _store = store;
        _giveUp = time.CreateTimer(static self => _ = ((StoreReader)self!).GiveUpAsync(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Answers one query.</summary>
    public async Task<SeriesResult> SeriesAsync(SeriesQuery query, CancellationToken cancellationToken) => (await SeriesAsync([query], cancellationToken))[0];

    /// <summary>Answers queries about one time with one reading.</summary>
    /// <exception cref="TooWideException">It would read too much.</exception>
    /// <exception cref="SqliteException">The sums cannot be read.</exception>
    /// <exception cref="OperationCanceledException">Whoever asked has gone, or it took too long.</exception>
    public async Task<IReadOnlyList<SeriesResult>> SeriesAsync(IReadOnlyList<SeriesQuery> queries, CancellationToken cancellationToken)
    {
        await TakeAsync(_series, cancellationToken);
        try
        {
            using var limit = Limit(cancellationToken);
            return await Task.Run(() => SeriesScan.Run(queries, _store.RollupConnection, limit.Token), limit.Token);
        }
        catch (SqliteException broken) when (RollupDatabase.IsBroken(broken))
        {
            _store.DoubtSums();
            throw;
        }
        finally
        {
            _series.Release();
        }
    }

    /// <summary>Where the sums begin; null while there are none.</summary>
    public async Task<DateTimeOffset?> BeginsAsync()
    {
        await TakeAsync(_series, CancellationToken.None);
        try
        {
            using var limit = Limit(CancellationToken.None);
            return await Task.Run(ReadBegin, limit.Token);
        }
        finally
        {
            _series.Release();
        }
    }

    /// <exception cref="OperationCanceledException">Whoever asked has gone, or it took too long.</exception>
    /// <exception cref="SegmentTroubleException">Segments cannot be searched now, and none of them is broken; also <see cref="DuckDBException"/>.</exception>
    public async Task<IReadOnlyList<ExchangeRecord>> FindAsync(ExchangeSearch search, CancellationToken cancellationToken)
    {
        await TakeAsync(_search, cancellationToken);
        try
        {
            using var limit = Limit(cancellationToken);
            return await Task.Run(() => Find(search, limit.Token), limit.Token);
        }
        finally
        {
            _giveUp.Change(KeepEngine, Timeout.InfiniteTimeSpan);
            _search.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _giveUp.DisposeAsync();
        await _search.WaitAsync();
        _engine?.Dispose();
        _search.Dispose();
        _series.Dispose();
    }

    private DateTimeOffset? ReadBegin()
    {
        using var database = new SqliteConnection(_store.RollupConnection + ";Mode=ReadOnly");
        database.Open();
        using var command = database.CreateCommand();
        command.CommandText = "SELECT (SELECT MIN(begin) FROM minutes), (SELECT MIN(begin) FROM hours)";
        using var row = command.ExecuteReader();
        if (!row.Read() || row.IsDBNull(0) || row.IsDBNull(1))
        {
            return null;
        }

        // Minutes are forgotten long before hours; until then they know it better.
        var (minutes, hours) = (row.GetInt64(0), row.GetInt64(1));
        return new DateTimeOffset(minutes - hours < TimeSpan.TicksPerHour ? minutes : hours, TimeSpan.Zero);
    }

    // How long others take is not held against a query: its own time begins when it is its turn.
    private static async Task TakeAsync(SemaphoreSlim places, CancellationToken cancellationToken)
    {
        if (!await places.WaitAsync(Queue, cancellationToken))
        {
            throw new OperationCanceledException("Other queries take too long.");
        }
    }

    private CancellationTokenSource Limit(CancellationToken cancellationToken)
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        return limit;
    }

    private IReadOnlyList<ExchangeRecord> Find(ExchangeSearch search, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            var (segments, logs) = _store.Files;
            _engine ??= new SegmentEngine(_store.Folder);
            try
            {
                return _engine.Find(search, segments, logs, cancellationToken);
            }
            catch (SegmentTroubleException trouble) when (tries < MaxTries)
            {
                // The engine itself may not be able to go on after that.
                GiveUpEngine();
                var broken = SegmentCheck.Broken(_store.Folder, trouble.Segments, cancellationToken);
                broken.ForEach(_store.SetAside);
                if (broken.Count == 0 && trouble.Segments.All(segment => File.Exists(segment.Path)))
                {
                    throw;
                }
            }
            catch (FileNotFoundException) when (tries < MaxTries)
            {
                // A log has just become a segment.
                GiveUpEngine();
            }
            catch (DuckDBException)
            {
                GiveUpEngine();
                throw;
            }
        }
    }

    private async Task GiveUpAsync()
    {
        await _search.WaitAsync();
        GiveUpEngine();
        _search.Release();
    }

    private void GiveUpEngine()
    {
        _engine?.Dispose();
        _engine = null;
        NativeMemory.GiveBack();
    }
}
