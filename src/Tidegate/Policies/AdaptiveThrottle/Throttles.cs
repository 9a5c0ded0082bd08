using System.Collections.Concurrent;

namespace Tidegate.Policies.AdaptiveThrottle;

/// <summary>What APIs and endpoints know of their upstreams' refusals; it outlives a configuration.</summary>
internal sealed class Throttles(TimeProvider time)
{
    private readonly ConcurrentDictionary<(string Api, string Endpoint), Throttle> _throttles = new();

    /// <param name="api">The API's name.</param>
    /// <param name="endpoint">Empty for the API's own, which its endpoints share.</param>
    /// <param name="random">Gives 0 to below 1.</param>
    public Throttle Of(string api, string endpoint, Func<double> random) => _throttles.GetOrAdd((api, endpoint), static (_, made) => new Throttle(made.time, made.random), (time, random));

    /// <summary>Every one of them.</summary>
    public IEnumerable<(string Api, string Endpoint, Throttle Throttle)> All => _throttles.Select(throttle => (throttle.Key.Api, throttle.Key.Endpoint, throttle.Value));
}
