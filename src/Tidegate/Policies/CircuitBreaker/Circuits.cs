using System.Collections.Concurrent;

namespace Tidegate.Policies.CircuitBreaker;

/// <summary>The circuits of all APIs and endpoints; they outlive a configuration.</summary>
internal sealed class Circuits(TimeProvider time)
{
    private readonly ConcurrentDictionary<(string Api, string Endpoint), Circuit> _circuits = new();

    /// <param name="api">The API's name.</param>
    /// <param name="endpoint">Empty for the API's own, which its endpoints share.</param>
    public Circuit Of(string api, string endpoint) => _circuits.GetOrAdd((api, endpoint), static (_, clock) => new Circuit(clock), time);

    /// <summary>Every one of them, also those of APIs that are gone.</summary>
    public IEnumerable<(string Api, string Endpoint, Circuit Circuit)> All => _circuits.Select(circuit => (circuit.Key.Api, circuit.Key.Endpoint, circuit.Value));
}
