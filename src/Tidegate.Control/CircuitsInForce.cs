using Tidegate.Policies.CircuitBreaker;

namespace Tidegate.Control;

/// <summary>The circuits that the configuration in force asks: one of an API that is gone would stay open for ever, because nobody calls it any more.</summary>
internal static class CircuitsInForce
{
    public static IReadOnlyList<(string Api, string Endpoint, Circuit Circuit)> Of(IGatewayView gateway)
    {
        var asked = gateway.Configuration.Snapshot.Plans.SelectMany(plan => plan.Pipeline.Policies.OfType<CircuitBreakerPolicy>()).Select(policy => policy.Circuit).ToHashSet();
        return
        [
            .. gateway.Circuits.All.Where(circuit => asked.Contains(circuit.Circuit))
                .OrderBy(circuit => circuit.Api, StringComparer.Ordinal).ThenBy(circuit => circuit.Endpoint, StringComparer.Ordinal),
        ];
    }
}
