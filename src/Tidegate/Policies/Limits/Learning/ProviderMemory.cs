using System.Collections.Concurrent;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Limits.Learning;

/// <summary>What an API's answers have said, from one configuration to the next. Bounded: what comes later shares one scope, whose limits are then everybody's.</summary>
internal sealed class ProviderMemory(LimitStore store, string api)
{
    // Credentials of callers, and buckets of a provider. A large Discord bot sees some hundred buckets.
    private const int MaxScopes = 4_096;
    private const int MaxRoutes = 16_384;

    // Four thousand scopes are looked at in a millisecond: often enough for tokens of a few minutes.
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(10);

    private readonly Lock _sweeping = new();

    private readonly ConcurrentDictionary<UInt128, LearnedScope> _scopes = new();
    private readonly ConcurrentDictionary<UInt128, LearnedScope> _buckets = new();
    private readonly long[] _throttled = new long[(int)ProviderSignal.Permanent + 1];
    private int _scopeCount;
    private int _bucketRoutes;
    private long _ignored;
    private long _nextSweep;

    public string Api => api;

    /// <summary>Values in answers that said nothing usable.</summary>
    public long Ignored => Interlocked.Read(ref _ignored);

    /// <summary>Refusals of the provider, by what they meant.</summary>
    public long Throttled(ProviderSignal kind) => Interlocked.Read(ref _throttled[(int)kind]);

    /// <summary>Seconds until the last cool-down ends; 0 when there is none.</summary>
    public double CoolingSeconds()
    {
        var now = store.Time.GetTimestamp();
        var until = _scopes.Values.Aggregate(now, (latest, scope) => Math.Max(latest, scope.CoolUntil));
        return (until - now) / (double)store.Time.TimestampFrequency;
    }

    public void CountIgnored(int values) => Interlocked.Add(ref _ignored, values);

    public void Count(ProviderSignal kind) => Interlocked.Increment(ref _throttled[(int)kind]);

    /// <summary>What is known of its windows, of all that it counts apart.</summary>
    public IEnumerable<KnownWindow> Windows()
    {
        var now = store.Time.GetTimestamp();
        return _scopes.Values.SelectMany(scope => scope.Known(now).Select(window => new KnownWindow(api, window.Source.Name, window.Source.Field, scope.Label, window.State)));
    }

    /// <summary>The scope of a key.</summary>
    /// <param name="identity">0 for all callers, else a keyed hash.</param>
    /// <param name="settings">What holds for it.</param>
    /// <param name="exchange">One of those that it counts, for people; null: it has no name.</param>
    /// <param name="isBucket">It is a bucket of the provider's.</param>
    public LearnedScope ScopeOf(UInt128 identity, LearningSettings settings, Exchange? exchange = null, bool isBucket = false)
    {
        if (_scopes.TryGetValue(identity, out var known))
        {
            return known;
        }

        if (Volatile.Read(ref _scopeCount) >= MaxScopes && !TrySweep())
        {
            identity = UInt128.MaxValue;
        }

        return _scopes.GetOrAdd(identity, static (identity, memory) =>
        {
            Interlocked.Increment(ref memory.Memory._scopeCount);
            return new LearnedScope(memory.Store, memory.Memory.KeyOf(identity), memory.Settings, identity == 0 ? "" : identity == UInt128.MaxValue ? "all further ones" : ScopeLabel.Of(memory.Settings, memory.Exchange, memory.IsBucket));
        }, (Memory: this, Store: store, Settings: settings, Exchange: exchange, IsBucket: isBucket));
    }

    /// <summary>The bucket that requests of a route were counted in; null while no answer has named one.</summary>
    public LearnedScope? BucketOf(UInt128 route) => _buckets.TryGetValue(route, out var bucket) ? bucket : null;

    /// <summary>Requests of a route are counted in a bucket.</summary>
    public LearnedScope Route(UInt128 route, UInt128 bucket, LearningSettings settings, Exchange? exchange = null)
    {
        var scope = ScopeOf(bucket, settings, exchange, isBucket: true);
        if (_buckets.TryGetValue(route, out var known))
        {
            if (known != scope)
            {
                _buckets[route] = scope;
            }
        }
        else if (Volatile.Read(ref _bucketRoutes) < MaxRoutes && _buckets.TryAdd(route, scope))
        {
            Interlocked.Increment(ref _bucketRoutes);
        }

        return scope;
    }

    /// <summary>Forgets scopes of which nothing is known that still holds: credentials rotate. Looks at most once in a while.</summary>
    private bool TrySweep()
    {
        lock (_sweeping)
        {
            var now = store.Time.GetTimestamp();
            if (now >= _nextSweep)
            {
                _nextSweep = now + ((long)SweepInterval.TotalSeconds * store.Time.TimestampFrequency);
                foreach (var (identity, scope) in _scopes)
                {
                    if (scope.IsIdle(now) && _scopes.TryRemove(identity, out _))
                    {
                        Interlocked.Decrement(ref _scopeCount);
                    }
                }

                foreach (var (route, scope) in _buckets)
                {
                    if (scope.IsIdle(now) && _buckets.TryRemove(route, out _))
                    {
                        Interlocked.Decrement(ref _bucketRoutes);
                    }
                }
            }

            return _scopeCount < MaxScopes;
        }
    }

    private UInt128 KeyOf(UInt128 identity)
    {
        Span<byte> bytes = stackalloc byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128LittleEndian(bytes, identity);
        return SipHash.Compute(store.Secret ^ SipHash.Compute(store.Secret, System.Text.Encoding.UTF8.GetBytes(api)), bytes);
    }
}
