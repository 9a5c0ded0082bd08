using Tidegate.Control.Store.Queries;
using Tidegate.Dashboard.Charts;
using Tidegate.Exchanges;

namespace Tidegate.Dashboard.Data;

/// <summary>An API in a table of APIs.</summary>
/// <param name="Api">Its name; empty for what belongs to none.</param>
/// <param name="Now">In the shown time.</param>
/// <param name="Sparkline">Calls over it.</param>
/// <param name="PerSecondNow">Over the last minute.</param>
/// <param name="Used">How much of its fullest limit is used, its provider's own windows and single callers' counts included, 0 to 1; null: none can be told.</param>
/// <param name="State">What is to be known of it now; empty: nothing.</param>
/// <param name="IsBad">Whether that is bad.</param>
public sealed record ApiRow(string Api, Totals Now, IReadOnlyList<double> Sparkline, double PerSecondNow, double? Used, string State, bool IsBad)
{
    /// <summary>Every API of a direction, the most called first; also those without a call.</summary>
    internal static IReadOnlyList<ApiRow> Of(Direction direction, Timeline timeline, SeriesResult? sums, LiveReader live, TimeSpan span)
    {
        var groups = (sums?.Groups ?? []).ToDictionary(group => group.Key[0]);
        var used = live.Limits().Select(limit => (limit.Api, limit.Share)).Concat(live.Windows().Select(window => (window.Api, Share: window.Used))).Where(limit => limit.Share is not null).ToLookup(limit => limit.Api, limit => limit.Share!.Value);
        var open = live.Circuits().Where(circuit => circuit.State == Policies.CircuitBreaker.CircuitState.Open).Select(circuit => circuit.Api).ToHashSet();
        var waiting = live.Waiting();
        var rows = live.Apis().Where(api => api.Direction == direction).ToDictionary(api => api.Api);
        return
        [
            // What is among the others has calls, though nobody knows how many.
            .. groups.Keys.Union(sums is { OmittedGroups: > 0 } ? [] : rows.Keys).Select(api =>
            {
                var group = groups.GetValueOrDefault(api);
                var (state, isBad) = StateOf(live.Cooling(api), open.Contains(api), waiting.GetValueOrDefault(api));
                return new ApiRow(api, group is null ? Totals.None : Totals.Of(group.Total, span), timeline.Sparkline(group?.Points ?? [], point => point.Cell.Count), rows.GetValueOrDefault(api)?.PerSecond ?? 0, used.Contains(api) ? used[api].Max() : null, state, isBad);
            }).OrderByDescending(row => row.Now.Calls).ThenBy(row => row.Api, StringComparer.Ordinal),
        ];
    }

    private static (string State, bool IsBad) StateOf(TimeSpan cooling, bool isOpen, int waiting) =>
        isOpen ? ("circuit open", true)
        : cooling > TimeSpan.Zero ? ($"pause {Views.Units.Duration(cooling)}", false)
        : waiting > 0 ? ($"{waiting} wait", false)
        : ("", false);
}
