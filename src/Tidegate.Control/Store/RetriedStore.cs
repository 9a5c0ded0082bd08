using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;

namespace Tidegate.Control.Store;

/// <summary>A store that could not be opened at the start, because its disk was full for example. It is tried again each minute; what comes until then is lost, which is counted.</summary>
internal sealed class RetriedStore : IExchangeStore
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Retry = TimeSpan.FromMinutes(1);

    private readonly Func<IExchangeStore> _open;
    private readonly EngineMemory _memory;
    private readonly Action<string> _log;
    private readonly StoreLoop _loop;
    private readonly Lock _gate = new();
    private volatile IExchangeStore? _opened;
    private volatile string _trouble;
    private long _failures = 1;
    private long _lost;

    /// <param name="open">Opens it, or throws <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>.</param>
    /// <param name="settings">Where it would be.</param>
    /// <param name="trouble">Why it could not be opened.</param>
    /// <param name="log">Takes one line.</param>
    public RetriedStore(Func<IExchangeStore> open, StoreSettings settings, string trouble, Action<string> log)
    {
        (_open, _memory, _trouble, _log) = (open, settings.Memory, Sentence(trouble), log);
        Place = settings.Directory;
        _loop = new StoreLoop(
            "Tidegate store opening",
            () =>
            {
                TryOpen();
                return false;
            },
            Interval,
            Retry);
    }

    /// <inheritdoc/>
    public string Name => "store";

    /// <inheritdoc/>
    public string? Closed => _opened is null ? _trouble : null;

    /// <inheritdoc/>
    public long Failures => Interlocked.Read(ref _failures) + (_opened?.Failures ?? 0);

    /// <inheritdoc/>
    public long Dropped => Interlocked.Read(ref _lost) + (_opened?.Dropped ?? 0);

    /// <inheritdoc/>
    public long SetAsideFiles => _opened?.SetAsideFiles ?? 0;

    /// <inheritdoc/>
    public long Bytes => _opened?.Bytes ?? 0;

    /// <inheritdoc/>
    public string Place { get; }

    /// <summary>None until the next start: it may be another gateway's, which keeps its own there.</summary>
    public string? Folder => null;

    /// <inheritdoc/>
    public EngineMemory Memory => _memory;

    /// <inheritdoc/>
    public void Start() => _loop.Start();

    /// <inheritdoc/>
    public IStoreSource OpenSource() => new Source(this);

    /// <inheritdoc/>
    public ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        if (_opened is { } opened)
        {
            return opened.WriteAsync(batch, cancellationToken);
        }

        Interlocked.Add(ref _lost, batch.Length);
        return default;
    }

    public async ValueTask DisposeAsync()
    {
        await _loop.DisposeAsync();
        if (_opened is { } opened)
        {
            await opened.DisposeAsync();
        }
    }

    /// <summary>What the loop does each minute.</summary>
    internal void TryOpen()
    {
        lock (_gate)
        {
            if (_opened is not null)
            {
                return;
            }

            try
            {
                var opened = _open();
                opened.Start();
                _opened = opened;
                _log($"The exchange store is open: exchanges are kept from now on. {Interlocked.Read(ref _lost)} that came before are lost, and the inventory is in memory until the next start.");
            }
            catch (Exception unusable)
            {
                // The thread goes on, also after a bug.
                Fail(unusable is IOException or UnauthorizedAccessException ? unusable.Message : unusable.ToString());
            }
        }
    }

    private void Fail(string trouble)
    {
        Interlocked.Increment(ref _failures);
        if (Sentence(trouble) != _trouble)
        {
            _trouble = Sentence(trouble);
            _log($"The exchange store can still not be opened: {_trouble}");
        }
    }

    private static string Sentence(string trouble) => trouble.TrimEnd().TrimEnd('.') + ".";

    /// <summary>Asks the store once there is one.</summary>
    private sealed class Source(RetriedStore store) : IStoreSource
    {
        private readonly Lock _gate = new();
        private IStoreSource? _source;

        /// <inheritdoc/>
        public int SearchMegabytes => EngineMemory.Search;

        /// <inheritdoc/>
        public IReadOnlyList<SeriesResult> Series(IReadOnlyList<SeriesQuery> queries, CancellationToken cancellationToken) => Open().Series(queries, cancellationToken);

        /// <inheritdoc/>
        public DateTimeOffset? Begin() => Open().Begin();

        /// <inheritdoc/>
        public IReadOnlyList<ExchangeRecord> Find(ExchangeSearch search, CancellationToken cancellationToken) => Open().Find(search, cancellationToken);

        /// <inheritdoc/>
        public void Rest()
        {
            lock (_gate)
            {
                _source?.Rest();
            }
        }

        public void Dispose()
        {
            lock (_gate)
            {
                _source?.Dispose();
            }
        }

        /// <exception cref="StoreClosedException">There is none yet.</exception>
        private IStoreSource Open()
        {
            lock (_gate)
            {
                return _source ??= store._opened?.OpenSource() ?? throw new StoreClosedException(store._trouble);
            }
        }
    }
}
