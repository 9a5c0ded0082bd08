using Tidegate.Policies;
using Tidegate.Policies.AdaptiveConcurrency;
using Tidegate.Policies.AdaptiveThrottle;

namespace Tidegate.Configuration;

/// <summary>Compiles what adapts to how an upstream bears its load.</summary>
internal sealed class AdaptiveCompiler(ConfigPositions positions, List<ConfigProblem> problems, CompilerServices services)
{
    /// <summary>Stands before the limits: what it refuses takes nothing from them.</summary>
    public IEnumerable<IPolicy> Throttle(ApiConfig api, EndpointConfig? endpoint)
    {
        if ((endpoint?.AdaptiveThrottle ?? api.AdaptiveThrottle) is { } throttle)
        {
            var settings = new AdaptiveThrottleSettings
            {
                Headroom = throttle.Headroom ?? AdaptiveThrottleSettings.DefaultHeadroom,
                Window = throttle.Window ?? AdaptiveThrottleSettings.DefaultWindow,
                Mode = throttle.Mode,
            };
            yield return new AdaptiveThrottlePolicy(settings, services.Throttles.Of(api.Name, Scope(endpoint?.AdaptiveThrottle, endpoint), services.Random), services.Time);
        }
    }

    /// <summary>Stands behind the limits: what waits for them is not in flight.</summary>
    public IEnumerable<IPolicy> Concurrency(ApiConfig api, EndpointConfig? endpoint)
    {
        if ((endpoint?.AdaptiveConcurrency ?? api.AdaptiveConcurrency) is { } concurrency)
        {
            var settings = new AdaptiveConcurrencySettings
            {
                Min = concurrency.Min ?? AdaptiveConcurrencySettings.DefaultMin,
                Max = concurrency.Max ?? AdaptiveConcurrencySettings.DefaultMax,
                ProbeEvery = concurrency.ProbeEvery ?? AdaptiveConcurrencySettings.DefaultProbeEvery,
                Mode = concurrency.Mode,
            };
            if (settings.Min > settings.Max)
            {
                problems.Add(new ConfigProblem(positions.Of(concurrency, concurrency.Min is null ? "max" : "min"), ConfigSeverity.Error, $"min ({settings.Min}) is above max ({settings.Max})"));
                yield break;
            }

            yield return new AdaptiveConcurrencyPolicy(settings, services.Gradients.Of(api.Name, Scope(endpoint?.AdaptiveConcurrency, endpoint), services.Random), services.Time);
        }
    }

    private static string Scope(object? own, EndpointConfig? endpoint) => own is null ? "" : SnapshotCompiler.EndpointName(endpoint!);
}
