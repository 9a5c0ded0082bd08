using System.Collections.Concurrent;

namespace Tidegate.Policies.Hedge;

/// <summary>What became of a hedge.</summary>
internal enum HedgeResult
{
    /// <summary>Its answer was used.</summary>
    Won,

    /// <summary>The first answered after all.</summary>
    Lost,

    /// <summary>It got no good answer.</summary>
    Failed,

    /// <summary>A limit or an open circuit let none pass.</summary>
    Refused,

    /// <summary>There had been too many of late.</summary>
    Budget,

    /// <summary>Observe mode: one would have been sent.</summary>
    Observe,
}

/// <summary>What is known of one API's, or one endpoint's, answers and hedges.</summary>
internal sealed class HedgeRoute(TimeProvider time)
{
    private readonly long[] _results = new long[(int)HedgeResult.Observe + 1];

    public LatencySketch Latencies { get; } = new(time);

    public HedgeBudget Budget { get; } = new();

    /// <summary>What holds now, for metrics; null before the first configuration with a hedge.</summary>
    public HedgeSettings? Settings { get; set; }

    /// <summary>When a hedge is sent; null while that is not known.</summary>
    public TimeSpan? After(HedgeSettings settings)
    {
        if (settings.After is { } after)
        {
            return after;
        }

        return Latencies.Quantile(settings.Percentile) is { } measured ? measured > Shortest ? measured : Shortest : null;
    }

    public void Count(HedgeResult result) => Interlocked.Increment(ref _results[(int)result]);

    public long Of(HedgeResult result) => Interlocked.Read(ref _results[(int)result]);

    // What answers that fast is not made faster by asking twice.
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(5);
}

/// <summary>Of all APIs and endpoints; outlives a configuration.</summary>
internal sealed class HedgeRoutes(TimeProvider time)
{
    private readonly ConcurrentDictionary<(string Api, string Endpoint), HedgeRoute> _routes = new();

    /// <summary>Told of a fault in a request whose answer nobody waited for any more.</summary>
    public Action<Exception> OnBug { get; set; } = static _ => { };

    /// <summary>Every one of them.</summary>
    public IEnumerable<(string Api, string Endpoint, HedgeRoute Route)> All => _routes.Select(route => (route.Key.Api, route.Key.Endpoint, route.Value));

    public HedgeRoute Of(string api, string endpoint) => _routes.GetOrAdd((api, endpoint), static (_, clock) => new HedgeRoute(clock), time);
}
