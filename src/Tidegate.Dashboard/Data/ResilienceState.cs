using Tidegate.Control;
using Tidegate.Dashboard.Views;
using Tidegate.Policies.AdaptiveConcurrency;
using Tidegate.Policies.AdaptiveThrottle;
using Tidegate.Policies.Credential;
using Tidegate.Policies.Hedge;
using Tidegate.Policies.Retry;

namespace Tidegate.Dashboard.Data;

/// <summary>What keeps an API's calls going, as it is now.</summary>
/// <param name="Keys">How the provider takes each; without values.</param>
/// <param name="Hedges">What is sent a second time.</param>
/// <param name="Adaptive">What was found out of the upstream.</param>
/// <param name="Retries">Further attempts that could be made now; null where there are none.</param>
public sealed record ResilienceState(IReadOnlyList<KeyRow> Keys, IReadOnlyList<HedgeRow> Hedges, IReadOnlyList<AdaptiveRow> Adaptive, double? Retries)
{
    /// <summary>Of an API without any of it.</summary>
    public static readonly ResilienceState None = new([], [], [], null);

    /// <summary>Of the policies of an API that the configuration in force has.</summary>
    internal static ResilienceState Of(IGatewayView gateway, string api)
    {
        // The API's own route first: what all of its routes share is said to be the API's.
        var plans = gateway.Configuration.Snapshot.Plans.Where(plan => plan.Route.ApiName == api).OrderBy(plan => plan.Route.EndpointName, StringComparer.Ordinal).SelectMany(plan => plan.Pipeline.Policies.Select(policy => (plan.Route.EndpointName, Policy: policy))).ToList();
        return new ResilienceState(
            [
                .. plans.Select(plan => plan.Policy).OfType<KeyPoolPolicy>().SelectMany(pool => pool.Keys.Select(key => (key, pool.Header))).DistinctBy(key => key.key).Select(key => KeyRow.Of(key.key, key.Header)),
                .. plans.Select(plan => plan.Policy).OfType<CredentialPolicy>().Where(only => only.Health is not null).DistinctBy(only => only.Health).Select(only => KeyRow.OfOnly(only.Health!, only.Header)),
            ],
            [.. plans.Where(plan => plan.Policy is HedgePolicy).DistinctBy(plan => ((HedgePolicy)plan.Policy).Route).Select(plan => HedgeRow.Of(plan.EndpointName, (HedgePolicy)plan.Policy))],
            [
                .. plans.Where(plan => plan.Policy is AdaptiveConcurrencyPolicy).DistinctBy(plan => ((AdaptiveConcurrencyPolicy)plan.Policy).Gradient).Select(plan => AdaptiveRow.Of(plan.EndpointName, (AdaptiveConcurrencyPolicy)plan.Policy)),
                .. plans.Where(plan => plan.Policy is AdaptiveThrottlePolicy).DistinctBy(plan => ((AdaptiveThrottlePolicy)plan.Policy).Throttle).Select(plan => AdaptiveRow.Of(plan.EndpointName, (AdaptiveThrottlePolicy)plan.Policy)),
            ],
            plans.Select(plan => plan.Policy).OfType<RetryPolicy>().FirstOrDefault()?.Budget.Balance);
    }
}

/// <summary>A key that an API's requests carry.</summary>
/// <param name="Name">Its name, where it is one of several.</param>
/// <param name="Field">The field that carries it.</param>
/// <param name="Since">Since when it has its value, in this process.</param>
/// <param name="Passed">Answers to requests that carried it and were not refused, or not for it.</param>
/// <param name="Refused">Refused, as far as can be told for it.</param>
/// <param name="LastRefused">When it was last refused.</param>
/// <param name="Cause">With which status; empty when it never was.</param>
/// <param name="State">In turn, or until when it is not and why.</param>
/// <param name="IsSetAside">It is not used now.</param>
public sealed record KeyRow(string Name, string Field, DateTimeOffset? Since, long Passed, long Refused, DateTimeOffset? LastRefused, string Cause, string State, bool IsSetAside)
{
    /// <summary>One of several.</summary>
    internal static KeyRow Of(KeyHealth key, string field)
    {
        var row = OfOnly(key, field) with { Name = key.Key.Name, State = "in turn" };
        return key.SetAsideSeconds() is > 0 and var seconds ? row with { State = $"set aside for {Units.Duration(TimeSpan.FromSeconds(seconds))} after {key.Cause}", IsSetAside = true } : row;
    }

    /// <summary>The only one: whatever comes of it, it is used.</summary>
    internal static KeyRow OfOnly(KeyHealth key, string field) => new("the only one", field, key.InForceSince, key.Passed, key.Refused, key.LastRefused, key.Cause, "in use", false);
}

/// <summary>What is sent a second time.</summary>
/// <param name="Scope">The endpoint; empty for the API.</param>
/// <param name="After">After how long without an answer.</param>
/// <param name="Results">What became of the second ones.</param>
public sealed record HedgeRow(string Scope, string After, string Results)
{
    internal static HedgeRow Of(string endpoint, HedgePolicy policy)
    {
        var results = Enum.GetValues<HedgeResult>().Where(result => policy.Route.Of(result) > 0).Select(result => $"{Units.Count(policy.Route.Of(result))} {Word(result)}");
        return new(endpoint, policy.After is { } after ? Units.Duration(after) : "not known yet", string.Join(", ", results) is { Length: > 0 } some ? some : "none yet");
    }

    private static string Word(HedgeResult result) => result switch
    {
        HedgeResult.Won => "won",
        HedgeResult.Lost => "lost",
        HedgeResult.Failed => "failed",
        HedgeResult.Refused => "found no room",
        HedgeResult.Budget => "over the budget",
        _ => "would have been sent",
    };
}

/// <summary>A limit that was found out.</summary>
/// <param name="Scope">The endpoint; empty for the API.</param>
/// <param name="Name">The policy.</param>
/// <param name="Text">What it lets pass.</param>
/// <param name="Used">0 to 1; null where that says nothing.</param>
/// <param name="Refused">Attempts that it refused.</param>
public sealed record AdaptiveRow(string Scope, string Name, string Text, double? Used, long Refused)
{
    internal static AdaptiveRow Of(string endpoint, AdaptiveConcurrencyPolicy policy)
    {
        var gradient = policy.Gradient;
        var quickest = gradient.Minimum > TimeSpan.Zero ? $", {Units.Duration(gradient.Minimum)} when idle" : "";
        return new(endpoint, policy.Name, $"{Units.Count(gradient.InFlight)} of {Units.Count(gradient.Limit)} in flight{quickest}", (double)gradient.InFlight / Math.Max(1, gradient.Limit), gradient.Refused);
    }

    internal static AdaptiveRow Of(string endpoint, AdaptiveThrottlePolicy policy) =>
        new(endpoint, policy.Name, policy.Probability is > 0 and var probability ? $"refuses {Units.Share(probability)} now" : "lets all pass", null, policy.Throttle.Throttled);
}
