using Tidegate.Control.Admin;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;

namespace Tidegate.Control.Live;

/// <summary>Exchanges as they end, for those who watch. Costs nothing while nobody does; whoever is too slow misses some, and is told how many.</summary>
internal sealed class ExchangeTail : IExchangeSink
{
    /// <summary>More people than look at one gateway, and far fewer than the connections that the admin listener takes.</summary>
    public const int MaxViewers = 16;

    /// <summary>One person's windows; others find places.</summary>
    public const int MaxViewersEach = 4;

    private readonly Lock _gate = new();
    private TailViewer[] _viewers = [];
    private bool _isClosed;

    /// <inheritdoc/>
    public string Name => "tail";

    /// <inheritdoc/>
    public ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        foreach (var viewer in Volatile.Read(ref _viewers))
        {
            viewer.Add(batch.Span);
        }

        return default;
    }

    /// <summary>Begins to watch.</summary>
    /// <param name="search">Which exchanges; its times do not matter.</param>
    /// <param name="caller">Who watches.</param>
    /// <returns>Null when there are too many already, in all or of that caller, or the gateway ends.</returns>
    public TailViewer? TryWatch(ExchangeSearch search, AdminCaller caller)
    {
        lock (_gate)
        {
            if (_isClosed || _viewers.Length >= MaxViewers || (caller.IsOnePerson && _viewers.Count(viewer => viewer.Caller.IsSame(caller)) >= MaxViewersEach))
            {
                return null;
            }

            var viewer = new TailViewer(search, caller);
            Volatile.Write(ref _viewers, [.. _viewers, viewer]);
            return viewer;
        }
    }

    /// <summary>Watches no more.</summary>
    public void Leave(TailViewer viewer)
    {
        lock (_gate)
        {
            Volatile.Write(ref _viewers, [.. _viewers.Where(other => other != viewer)]);
        }
    }

    /// <summary>Ends it for everybody.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            foreach (var viewer in _viewers)
            {
                viewer.Close();
            }
        }
    }
}

/// <summary>One who watches. Records wait for at most a fixed number; then the oldest make room.</summary>
internal sealed class TailViewer(ExchangeSearch search, AdminCaller caller)
{
    /// <summary>Some 200 KB: more than a browser draws in a second.</summary>
    public const int MaxWaiting = 512;

    private readonly Lock _gate = new();
    private readonly Queue<ExchangeRecord> _waiting = new();
    private readonly SemaphoreSlim _more = new(0, 1);
    private long _dropped;

    /// <summary>Who it is.</summary>
    public AdminCaller Caller => caller;

    /// <summary>Nothing comes any more.</summary>
    public bool IsClosed { get; private set; }

    public void Add(ReadOnlySpan<ExchangeRecord> batch)
    {
        var hasAny = false;
        lock (_gate)
        {
            foreach (ref readonly var record in batch)
            {
                if (!search.Fits(record))
                {
                    continue;
                }

                hasAny = true;
                if (_waiting.Count == MaxWaiting)
                {
                    _waiting.Dequeue();
                    _dropped++;
                }

                _waiting.Enqueue(record);
            }

            if (hasAny && _more.CurrentCount == 0)
            {
                _more.Release();
            }
        }
    }

    public void Close()
    {
        lock (_gate)
        {
            IsClosed = true;
            if (_more.CurrentCount == 0)
            {
                _more.Release();
            }
        }
    }

    /// <summary>Waits until there is something, for at most a while.</summary>
    /// <returns>What came, and how many were dropped since the last time; nothing when nothing came.</returns>
    public async Task<(IReadOnlyList<ExchangeRecord> Records, long Dropped)> NextAsync(TimeSpan patience, TimeProvider time, CancellationToken cancellationToken)
    {
        using var over = new CancellationTokenSource(patience, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, over.Token);
        try
        {
            await _more.WaitAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return ([], 0);
        }

        lock (_gate)
        {
            IReadOnlyList<ExchangeRecord> records = [.. _waiting];
            var dropped = _dropped;
            _waiting.Clear();
            _dropped = 0;
            return (records, dropped);
        }
    }
}
