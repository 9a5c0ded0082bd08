using System.Collections.Concurrent;
using System.Security.Cryptography;
using Tidegate.Policies.Limits.Learning;

namespace Tidegate.Policies.Limits;

/// <summary>What limits remember from one configuration to the next: counts, and who waits.</summary>
internal sealed class LimitStore(TimeProvider time) : IDisposable
{
    private readonly ConcurrentDictionary<(string Api, PolicyStage Stage), LimitQueue> _queues = new();
    private readonly ConcurrentDictionary<string, ProviderMemory> _providers = new();

    public TimeProvider Time { get; } = time;

    public LimitCells Cells { get; } = new();

    /// <summary>Keys the hashes of this process's counts.</summary>
    public UInt128 Secret { get; } = new(BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))), BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))));

    /// <summary>The queue of an API's stage, the same one after a reload.</summary>
    public LimitQueue QueueOf(string api, PolicyStage stage) => _queues.GetOrAdd((api, stage), static (_, store) => new LimitQueue(store.Cells, store.Time), this);

    /// <summary>Where exchanges wait, by API.</summary>
    public IEnumerable<(string Api, int Waiting)> Waiting => _queues.GroupBy(queue => queue.Key.Api, (api, queues) => (api, queues.Sum(queue => queue.Value.Count)));

    /// <summary>What the answers of APIs that learn have said.</summary>
    public IEnumerable<ProviderMemory> Providers => _providers.Values;

    /// <summary>What an API's answers have said, the same after a reload.</summary>
    public ProviderMemory ProviderOf(string api) => _providers.GetOrAdd(api, static (api, store) => new ProviderMemory(store, api), this);

    public void Dispose()
    {
        foreach (var queue in _queues.Values)
        {
            queue.Dispose();
        }
    }
}
