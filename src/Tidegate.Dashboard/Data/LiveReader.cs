using Tidegate.Control;
using Tidegate.Control.Live;
using Tidegate.Dashboard.Views;
using Tidegate.Exchanges;
using Tidegate.Policies.CircuitBreaker;
using Tidegate.Policies.Limits.Learning;

namespace Tidegate.Dashboard.Data;

/// <summary>What the gateway is doing at this moment. That is no single tenant's: who sees only some tenants' exchanges sees none of it.</summary>
internal sealed class LiveReader(DashboardSources sources, Viewer viewer)
{
    // Less says nothing about a share.
    private const int FewestCalls = 20;
    private const double FailingShare = 0.05;
    private const double NearlyUsed = 0.9;

    /// <summary>Every API over the last minute, those without a call too.</summary>
    public IReadOnlyList<LiveApi> Apis()
    {
        var apis = new List<LiveApi>();
        if (!viewer.Caller.SeesAll)
        {
            return apis;
        }

        var quiet = sources.Gateway.Configuration.Config.Apis.Select(api => (api.Direction, api.Name)).ToHashSet();
        var seconds = SlidingMinute.Covered(sources.Time.GetUtcNow(), sources.Apis.Started).TotalSeconds;
        sources.Apis.Read((direction, api, _, minute) =>
        {
            quiet.Remove((direction, api));
            apis.Add(new LiveApi(direction, api, minute.Exchanges, minute.Errors, minute.Of(Outcome.Rejected), seconds > 0 ? minute.Exchanges / seconds : 0, minute.Latency.Quantile(0.95)));
        });
        apis.AddRange(quiet.Select(api => new LiveApi(api.Direction, api.Name, 0, 0, 0, 0, TimeSpan.Zero)));
        return apis;
    }

    /// <summary>The limits of an API, or of all.</summary>
    public IReadOnlyList<LimitNow> Limits(string? api = null) => viewer.Caller.SeesAll ? [.. sources.Limits.Read().Limits.Where(limit => api is null || limit.Api == api)] : [];

    /// <summary>What the provider of an API, or of all, said is left of its own windows: those of which least is.</summary>
    public IReadOnlyList<KnownWindow> Windows(string? api = null) => viewer.Caller.SeesAll ? [.. sources.Limits.Read().Windows.Where(window => api is null || window.Api == api)] : [];

    /// <summary>The circuits of an API, or of all.</summary>
    public IEnumerable<(string Api, string Endpoint, CircuitState State, long Opened)> Circuits(string? api = null) => CircuitsInForce.Of(sources.Gateway)
        .Where(circuit => viewer.Caller.SeesAll && (api is null || circuit.Api == api))
        .Select(circuit => (circuit.Api, circuit.Endpoint, circuit.Circuit.State, circuit.Circuit.Opened));

    /// <summary>How long an API's provider is left alone because it asked for that; zero when it is not.</summary>
    public TimeSpan Cooling(string api) => viewer.Caller.SeesAll && sources.Gateway.Limits.Providers.FirstOrDefault(provider => provider.Api == api) is { } provider ? TimeSpan.FromSeconds(provider.CoolingSeconds()) : TimeSpan.Zero;

    /// <summary>How many exchanges of each API wait for a limit; those without a queue are not there.</summary>
    public IReadOnlyDictionary<string, int> Waiting() =>
        viewer.Caller.SeesAll ? sources.Gateway.Limits.Waiting.ToDictionary(queue => queue.Api, queue => queue.Waiting, StringComparer.Ordinal) : new Dictionary<string, int>();

    /// <summary>All traffic of a direction by the second; null where whoever looks does not see all.</summary>
    public IReadOnlyList<SecondCounts>? Seconds(Direction direction) => viewer.Caller.SeesAll ? sources.Seconds.Read(direction) : null;

    /// <summary>Exchanges that have begun and not ended.</summary>
    public long InFlight(Direction direction) => viewer.Caller.SeesAll ? sources.InFlight.Count(direction) : 0;

    /// <summary>An API's destinations as the configuration in force has them, in its order, called or not.</summary>
    public IReadOnlyList<DestinationState> Destinations(string api)
    {
        if (!viewer.Caller.SeesAll)
        {
            return [];
        }

        // An attempt that failed and was followed by another counts for the other's destination: what is down may have no call of its own.
        var known = sources.Gateway.Destinations.Where(destination => destination.Api == api).ToDictionary(destination => destination.Destination, StringComparer.Ordinal);
        var (now, clock) = (sources.Gateway.Limits.Time.GetTimestamp(), sources.Time.GetUtcNow());
        return
        [
            .. sources.Gateway.Configuration.Snapshot.Plans.Where(plan => plan.Route.ApiName == api)
                .SelectMany(plan => plan.Upstream.Destinations.Select((destination, i) => (Name: destination.ToString(), Region: plan.Upstream.Regions.Count > i ? plan.Upstream.Regions[i] : "", IsAlone: plan.Upstream.Destinations.Count == 1)))
                .DistinctBy(destination => destination.Name)
                .Select(destination => DestinationState.Of(destination.Name, destination.Region, destination.IsAlone, known.GetValueOrDefault(destination.Name), now, clock)),
        ];
    }

    /// <summary>What somebody should look at, the worst first.</summary>
    public IReadOnlyList<Attention> Attention()
    {
        var found = new List<Attention>();
        if (!viewer.Caller.SeesAll)
        {
            return found;
        }

        if (sources.Reloads.Last is { IsInForce: false } reload)
        {
            found.Add(new Attention(true, "The configuration file is not in force", reload.Failure ?? $"{reload.Problems.Count} problem{(reload.Problems.Count == 1 ? "" : "s")} at {Clock(reload.Time)}; version {sources.Gateway.Configuration.Snapshot.Version} stays.", "/configuration"));
        }

        foreach (var api in Apis())
        {
            if (api.Calls >= FewestCalls && api.Errors >= api.Calls * FailingShare)
            {
                found.Add(new Attention(api.Errors >= api.Calls / 2, $"{Name(api.Api)} fails", $"{Views.Units.Share(api.Errors, api.Calls)} of {Views.Units.Count(api.Calls)} calls in the last minute.", Page(api.Direction, api.Api)));
            }
        }

        var directions = sources.Gateway.Configuration.Config.Apis.ToDictionary(api => api.Name, api => api.Direction, StringComparer.Ordinal);
        string PageOf(string api) => directions.TryGetValue(api, out var direction) ? Page(direction, api) : "/egress";
        foreach (var (api, endpoint, state, _) in Circuits())
        {
            if (state != CircuitState.Closed)
            {
                found.Add(new Attention(state == CircuitState.Open, $"{api}{(endpoint.Length > 0 ? " " + endpoint : "")} is left alone", state == CircuitState.Open ? "Its circuit is open: it has failed too often of late." : "Its circuit is half open: the next calls decide.", PageOf(api)));
            }
        }

        foreach (var destination in sources.Gateway.Destinations)
        {
            if (destination.IsEjected)
            {
                found.Add(new Attention(true, $"A destination of {destination.Api} {(destination.IsObserved ? "would be" : "is")} left out", $"{destination.Destination} {(destination.AskedSeconds > 0 ? "asked for a pause" : "does not answer")}{(destination.IsObserved ? ", and has its turns: ejection only observes" : "")}.", PageOf(destination.Api)));
            }
        }

        foreach (var provider in sources.Gateway.Limits.Providers)
        {
            if (provider.CoolingSeconds() is > 0 and var seconds)
            {
                found.Add(new Attention(false, $"{provider.Api} asked for a pause", $"No call for another {Views.Units.Duration(TimeSpan.FromSeconds(seconds))}.", PageOf(provider.Api)));
            }
        }

        var waiting = Waiting();
        foreach (var limit in Limits())
        {
            if (limit.Used >= limit.Amount * NearlyUsed && limit.Amount > 1)
            {
                found.Add(new Attention(false, $"{limit.Api} is at its limit", $"{limit.Text}: {Views.Units.Count(limit.Used.Value)} of {Views.Units.Count(limit.Amount)} used{(waiting.GetValueOrDefault(limit.Api) is > 0 and var wait ? $", {wait} wait" : "")}.", PageOf(limit.Api)));
            }
        }

        foreach (var window in Windows())
        {
            if (window.Used >= NearlyUsed && window.State.Limit > 1)
            {
                found.Add(new Attention(false, $"{window.Api}'s provider says that little is left", $"{window.Name}{(window.Of.Length > 0 ? $" ({window.Of})" : "")}: {Views.Units.Count(window.State.Remaining)} of {Views.Units.Count(window.State.Limit)}, {LimitRow.Again(window.State)}.", PageOf(window.Api)));
            }
        }

        AddRecording(found);
        return [.. found.OrderByDescending(attention => attention.IsBad)];
    }

    private void AddRecording(List<Attention> found)
    {
        if (sources.Gateway.Dropped > 0)
        {
            found.Add(new Attention(true, "Records were lost", $"{Views.Units.Count(sources.Gateway.Dropped)} since the start: the sinks were too slow. These pages lack them.", "/configuration"));
        }

        foreach (var (sink, failures) in sources.Gateway.SinkFailures)
        {
            if (failures > 0)
            {
                found.Add(new Attention(false, $"The {sink} lost records", $"{Views.Units.Count(failures)} batches since the start. The log says why.", "/configuration"));
            }
        }

        if (sources.Gateway.Store is { Closed: { } closed } kept)
        {
            found.Add(new Attention(true, "Exchanges are not kept", $"{closed} {Views.Units.Count(kept.Dropped)} were lost since the start; it is tried again each minute.", "/configuration"));
        }
        else if (sources.Gateway.Store is { Failures: > 0 } store)
        {
            found.Add(new Attention(false, "The exchange store could not write", $"{Views.Units.Count(store.Failures)} times since the start. The log says why.", "/configuration"));
        }

        if (sources.Gateway.LedgerFailures > 0)
        {
            found.Add(new Attention(false, "Counts of limits could not be saved", $"{Views.Units.Count(sources.Gateway.LedgerFailures)} times since the start. The log says why.", "/configuration"));
        }
    }

    private static string Name(string api) => api.Length == 0 ? "What belongs to no API" : api;

    private static string Page(Direction direction, string api) => $"/{Recording.ExchangeWords.Of(direction)}/{Uri.EscapeDataString(api.Length == 0 ? Views.View.Unlisted : api)}";

    private static string Clock(DateTimeOffset time) => time.UtcDateTime.ToString("HH:mm 'UTC'", System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>An API over the last minute.</summary>
internal sealed record LiveApi(Direction Direction, string Api, long Calls, long Errors, long Rejected, double PerSecond, TimeSpan P95);

/// <summary>Something that somebody should look at.</summary>
/// <param name="IsBad">Something does not work; else it may soon not.</param>
/// <param name="Title">What.</param>
/// <param name="Detail">How much.</param>
/// <param name="Path">Where one sees more.</param>
public sealed record Attention(bool IsBad, string Title, string Detail, string Path);
