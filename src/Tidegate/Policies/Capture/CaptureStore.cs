namespace Tidegate.Policies.Capture;

/// <summary>Captured exchanges, in memory only: the newest, up to a bound.</summary>
internal sealed class CaptureStore
{
    // Exchanges that wait to be freed of their secrets; more is more than the machine has time for.
    private const int MaxPending = 64;

    private readonly Lock _gate = new();
    private readonly Queue<ulong> _order = new();
    private readonly Dictionary<ulong, CapturedExchange> _kept = [];
    private long _holdsFrom;
    private long _bytes;
    private long _copying;
    private long _dropped;
    private int _pending;

    /// <summary>All of them together.</summary>
    public long MaxBytes { get; set; } = CaptureSettings.DefaultMaxBytes;

    /// <summary>Is told of a fault of ours.</summary>
    public Action<Exception> OnBug { get; set; } = static _ => { };

    public long Bytes => Interlocked.Read(ref _bytes);

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _kept.Count;
            }
        }
    }

    /// <summary>Exchanges that could not be copied or kept, because too many came at once.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    public CapturedExchange? Find(ulong id)
    {
        lock (_gate)
        {
            return _kept.GetValueOrDefault(id);
        }
    }

    /// <summary>Exchanges that wait to be freed of their secrets.</summary>
    public int Pending => Volatile.Read(ref _pending);

    /// <summary>What is captured, or what is masked of it, is another matter now: nothing of before is shown any more, and what is still under way then is not kept.</summary>
    /// <param name="holdsFrom">The version of the configuration that says so.</param>
    public void Clear(long holdsFrom)
    {
        lock (_gate)
        {
            _holdsFrom = holdsFrom;
            _kept.Clear();
            _order.Clear();
            _bytes = 0;
        }
    }

    /// <summary>Takes room for what is copied of an exchange while it lasts, as much as is kept of those that are over; false when there is none, which is counted.</summary>
    public bool TryCopy(long bytes)
    {
        if (Interlocked.Add(ref _copying, bytes) <= MaxBytes)
        {
            return true;
        }

        Interlocked.Add(ref _copying, -bytes);
        Interlocked.Increment(ref _dropped);
        return false;
    }

    /// <summary>It is over.</summary>
    public void Copied(long bytes) => Interlocked.Add(ref _copying, -bytes);

    /// <summary>Makes one, away from traffic, and keeps it, if what it was captured under still holds.</summary>
    /// <param name="version">Of the configuration that it was captured under.</param>
    /// <param name="make">Takes its secrets out.</param>
    public void Add(long version, Func<CapturedExchange> make)
    {
        if (Interlocked.Increment(ref _pending) > MaxPending)
        {
            Interlocked.Decrement(ref _pending);
            Interlocked.Increment(ref _dropped);
            return;
        }

        ThreadPool.UnsafeQueueUserWorkItem(static work => work.Store.Keep(work.Version, work.Make), (Store: this, Version: version, Make: make), preferLocal: false);
    }

    private void Keep(long version, Func<CapturedExchange> make)
    {
        try
        {
            var captured = make();
            lock (_gate)
            {
                if (version >= _holdsFrom && _kept.TryAdd(captured.Id, captured))
                {
                    _order.Enqueue(captured.Id);
                    _bytes += captured.Bytes;
                }

                while (_bytes > MaxBytes && _order.TryDequeue(out var oldest) && _kept.Remove(oldest, out var gone))
                {
                    _bytes -= gone.Bytes;
                }
            }
        }
        catch (Exception bug)
        {
            OnBug(bug);
        }
        finally
        {
            Interlocked.Decrement(ref _pending);
        }
    }
}
