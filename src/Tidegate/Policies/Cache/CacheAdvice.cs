using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>
/// What storing would bring on one endpoint, found by playing it through with the calls that really came: for a sample of URLs and for some lifetimes, what would have
/// been a hit, and whether the answer that came instead was the same.
/// </summary>
internal sealed class CacheAdvice(string api, string endpoint, TimeProvider time)
{
    // Each takes some 300 bytes.
    private const int MaxSamples = 1024;

    /// <summary>What is tried: first what the answers themselves say, as the configured rules have it.</summary>
    public static readonly IReadOnlyList<TimeSpan> Lifetimes =
        [TimeSpan.Zero, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(10), TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(5), TimeSpan.FromHours(1), TimeSpan.FromDays(1)];

    private readonly Lock _gate = new();
    private readonly Dictionary<UInt128, AdviceSample> _samples = [];
    private readonly AdviceTally[] _tallies = new AdviceTally[Lifetimes.Count];
    private readonly long _began = time.GetTimestamp();
    private long _calls;
    private long _sampled;
    private long _unshared;
    private int _level;
    private string _currency = "";

    public string Api => api;

    public string Endpoint => endpoint;

    /// <summary>Whether a key is among those that are played through.</summary>
    public bool Samples(UInt128 key) => ((ulong)(key >> 32) & ((1UL << Volatile.Read(ref _level)) - 1)) == 0;

    /// <summary>A call whose answer could have been stored, or not.</summary>
    public void Count(bool isShared)
    {
        Interlocked.Increment(ref _calls);
        if (!isShared)
        {
            Interlocked.Increment(ref _unshared);
        }
    }

    /// <summary>A sampled call had this answer.</summary>
    /// <param name="key">Its URL, partition and what it varies by.</param>
    /// <param name="content">What the answer was.</param>
    /// <param name="own">How long it is fresh by what it says and the configured rules; zero when it would not be stored.</param>
    /// <param name="bytes">Of its content.</param>
    /// <param name="cost">What it cost.</param>
    public void Add(UInt128 key, UInt128 content, TimeSpan own, long bytes, in ExchangeCost cost)
    {
        Span<long> lifetimes = stackalloc long[Lifetimes.Count];
        for (var i = 0; i < lifetimes.Length; i++)
        {
            lifetimes[i] = (long)((i == 0 ? own : Lifetimes[i]).TotalSeconds * time.TimestampFrequency);
        }

        lock (_gate)
        {
            if (!Samples(key))
            {
                return;
            }

            if (!_samples.TryGetValue(key, out var sample))
            {
                while (_samples.Count >= MaxSamples)
                {
                    Volatile.Write(ref _level, _level + 1);
                    foreach (var other in _samples.Keys.Where(other => !Samples(other)).ToList())
                    {
                        _samples.Remove(other);
                    }
                }

                if (!Samples(key))
                {
                    return;
                }

                _samples[key] = sample = new AdviceSample();
            }

            _sampled++;
            // Prices of two currencies cannot be added up: the first is the endpoint's.
            _currency = _currency.Length == 0 ? cost.Currency : _currency;
            sample.Add(time.GetTimestamp(), content, lifetimes, _tallies, bytes, cost.IsKnown && cost.Currency == _currency ? cost.Amount : null);
        }
    }

    /// <summary>What is known now.</summary>
    public AdviceReport Report()
    {
        lock (_gate)
        {
            return new AdviceReport(api, endpoint, time.GetElapsedTime(_began), Interlocked.Read(ref _calls), Interlocked.Read(ref _unshared), _sampled, _currency, [.. _tallies]);
        }
    }
}
