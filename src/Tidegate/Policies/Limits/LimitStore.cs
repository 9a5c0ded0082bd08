using System.Collections.Concurrent;
using System.Security.Cryptography;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits.Learning;

namespace Tidegate.Policies.Limits;

/// <summary>What limits remember from one configuration to the next, and with a ledger from one process to the next: counts, and who waits.</summary>
internal sealed class LimitStore : IDisposable
{
    private readonly ConcurrentDictionary<(string Api, PolicyStage Stage), LimitQueue> _queues = new();
    private readonly ConcurrentDictionary<string, ProviderMemory> _providers = new();
    private volatile bool _isLedgerDown;
    private long _unreadRequests;
    private long _unreadAnswers;

    /// <summary>Counts that end with the process.</summary>
    public LimitStore(TimeProvider time)
        : this(time, new UInt128(BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))), BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)))), null)
    {
    }

    /// <summary>Counts that go on from what an earlier process saved.</summary>
    /// <param name="time">The clock.</param>
    /// <param name="secret">The one that the saved keys were made with.</param>
    /// <param name="saved">By key; null: nothing is kept.</param>
    public LimitStore(TimeProvider time, UInt128 secret, ConcurrentDictionary<UInt128, IReadOnlyList<SavedRun>>? saved)
    {
        Time = time;
        Secret = secret;
        Cells = new LimitCells(time, saved);
    }

    public TimeProvider Time { get; }

    public LimitCells Cells { get; }

    /// <summary>Keys the hashes of counts.</summary>
    public UInt128 Secret { get; }

    /// <summary>Counts that should outlive the process cannot be saved now.</summary>
    public bool IsLedgerDown { get => _isLedgerDown; set => _isLedgerDown = value; }

    /// <summary>Exchanges whose content was to say what they cost and did not, or not within the bound.</summary>
    public long UnreadRequests => Interlocked.Read(ref _unreadRequests);

    /// <summary>Answers whose content was to say what they cost and did not.</summary>
    public long UnreadAnswers => Interlocked.Read(ref _unreadAnswers);

    /// <summary>Notes and counts that a constant was charged instead of what content was to say.</summary>
    public void NoteUnreadCost(Exchange exchange, UnreadCosts unread)
    {
        exchange.UnreadCosts |= unread;
        Interlocked.Increment(ref unread == UnreadCosts.Request ? ref _unreadRequests : ref _unreadAnswers);
    }

    /// <summary>Where exchanges wait, by API.</summary>
    public IEnumerable<(string Api, int Waiting)> Waiting => _queues.GroupBy(queue => queue.Key.Api, (api, queues) => (api, queues.Sum(queue => queue.Value.Count)));

    /// <summary>What the answers of APIs that learn have said.</summary>
    public IEnumerable<ProviderMemory> Providers => _providers.Values;

    /// <summary>What an API's answers have said, the same after a reload.</summary>
    public ProviderMemory ProviderOf(string api) => _providers.GetOrAdd(api, static (api, store) => new ProviderMemory(store, api), this);

    /// <summary>The queue of an API's stage, the same one after a reload.</summary>
    public LimitQueue QueueOf(string api, PolicyStage stage) => _queues.GetOrAdd((api, stage), static (_, store) => new LimitQueue(store.Cells, store.Time), this);

    public void Dispose()
    {
        foreach (var queue in _queues.Values)
        {
            queue.Dispose();
        }
    }
}
