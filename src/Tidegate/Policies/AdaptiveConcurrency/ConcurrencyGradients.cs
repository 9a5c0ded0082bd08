using System.Collections.Concurrent;

namespace Tidegate.Policies.AdaptiveConcurrency;

/// <summary>What was found out of all upstreams; it outlives a configuration.</summary>
internal sealed class ConcurrencyGradients(TimeProvider time)
{
    private readonly ConcurrentDictionary<(string Api, string Endpoint), ConcurrencyGradient> _gradients = new();

    /// <param name="api">The API's name.</param>
    /// <param name="endpoint">Empty for the API's own, which its endpoints share.</param>
    /// <param name="random">Gives 0 to below 1.</param>
    public ConcurrencyGradient Of(string api, string endpoint, Func<double> random) => _gradients.GetOrAdd((api, endpoint), static (_, made) => new ConcurrencyGradient(made.time, made.random), (time, random));

    /// <summary>Every one of them.</summary>
    public IEnumerable<(string Api, string Endpoint, ConcurrencyGradient Gradient)> All => _gradients.Select(gradient => (gradient.Key.Api, gradient.Key.Endpoint, gradient.Value));
}
