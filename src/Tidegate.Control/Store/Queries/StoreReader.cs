using Tidegate.Control.Store.Segments;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Queries;

/// <summary>Asks the store, off the threads of whoever asks: few at once, for a limited time, and not at all of the traffic's.</summary>
internal sealed class StoreReader : IAsyncDisposable
{
    // A page asks several things at once; two cores' worth is what traffic can spare.
    private const int SeriesAtOnce = 2;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Queue = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan KeepEngine = TimeSpan.FromMinutes(5);

    private readonly IStoreSource _source;
    private readonly SemaphoreSlim _series = new(SeriesAtOnce);
    private readonly SemaphoreSlim _search = new(1);
    private readonly EngineMemory _memory;
    private readonly ITimer _rest;

    // What the engine that searches takes, as long as there is one. Belongs to who has the place of the search.
    private EngineRoom? _room;

    public StoreReader(IExchangeStore store, TimeProvider time)
    {
        _memory = store.Memory;
        _memory.Wanted += RestIfWanted;
        _source = store.OpenSource();
        _rest = time.CreateTimer(static self => _ = ((StoreReader)self!).RestAsync(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Answers one query.</summary>
    public async Task<SeriesResult> SeriesAsync(SeriesQuery query, CancellationToken cancellationToken) => (await SeriesAsync([query], cancellationToken))[0];

    /// <summary>Answers queries about one time with one reading.</summary>
    /// <exception cref="TooWideException">It would read too much.</exception>
    /// <exception cref="System.Data.Common.DbException">The sums cannot be read.</exception>
    /// <exception cref="OperationCanceledException">Whoever asked has gone, or it took too long.</exception>
    public async Task<IReadOnlyList<SeriesResult>> SeriesAsync(IReadOnlyList<SeriesQuery> queries, CancellationToken cancellationToken)
    {
        await TakeAsync(_series, cancellationToken);
        try
        {
            using var room = await _memory.TakeAsync(EngineMemory.Series, Queue, cancellationToken);
            using var limit = Limit(cancellationToken);
            return await Task.Run(() => _source.Series(queries, limit.Token), limit.Token);
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
            return await Task.Run(_source.Begin, limit.Token);
        }
        finally
        {
            _series.Release();
        }
    }

    /// <exception cref="OperationCanceledException">Whoever asked has gone, or it took too long.</exception>
    /// <exception cref="SegmentTroubleException">Exchanges cannot be searched now; also <see cref="System.Data.Common.DbException"/>.</exception>
    public async Task<IReadOnlyList<ExchangeRecord>> FindAsync(ExchangeSearch search, CancellationToken cancellationToken)
    {
        await TakeAsync(_search, cancellationToken);
        try
        {
            if (_room is null && _source.SearchMegabytes is > 0 and var megabytes)
            {
                _room = await _memory.TakeAsync(megabytes, Queue, cancellationToken);
            }

            using var limit = Limit(cancellationToken);
            return await Task.Run(() => _source.Find(search, limit.Token), limit.Token);
        }
        finally
        {
            _rest.Change(KeepEngine, Timeout.InfiniteTimeSpan);
            _search.Release();
            RestIfWanted();
        }
    }

    public async ValueTask DisposeAsync()
    {
        _memory.Wanted -= RestIfWanted;
        await _rest.DisposeAsync();
        await _search.WaitAsync();
        _source.Dispose();
        _room?.Dispose();
        _search.Dispose();
        _series.Dispose();
    }

    // How long others take is not held against a query: its own time begins when it is its turn.
    private static async Task TakeAsync(SemaphoreSlim places, CancellationToken cancellationToken)
    {
        if (!await places.WaitAsync(Queue, cancellationToken))
        {
            throw new OperationCanceledException("Other queries take too long.");
        }
    }

    private static CancellationTokenSource Limit(CancellationToken cancellationToken)
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        return limit;
    }

    private async Task RestAsync()
    {
        try
        {
            await _search.WaitAsync();
        }
        catch (ObjectDisposedException)
        {
            // The gateway ends.
            return;
        }

        RestNow();
    }

    /// <summary>Gives up an engine that is kept for the next search, when others need its room. One that searches gives it up at its end.</summary>
    private void RestIfWanted()
    {
        try
        {
            while (_memory.IsWanted && Volatile.Read(ref _room) is not null && _search.Wait(0))
            {
                RestNow();
            }
        }
        catch (ObjectDisposedException)
        {
            // The gateway ends.
            return;
        }
    }

    /// <summary>By who has the place of the search, which is free then.</summary>
    private void RestNow()
    {
        try
        {
            _source.Rest();
        }
        finally
        {
            _room?.Dispose();
            _room = null;
            _search.Release();
        }
    }
}
