using Tidegate.Control.Store.Queries;
using Tidegate.Dashboard.Views;

namespace Tidegate.Dashboard.Data;

/// <summary>An API that does something else than in the time before.</summary>
/// <param name="Api">Its name.</param>
/// <param name="Text">What changed.</param>
/// <param name="Tone">good or bad.</param>
/// <param name="Path">Its page.</param>
public sealed record ApiChange(string Api, string Text, string Tone, string Path)
{
    // Fewer calls change by chance.
    private const long FewestCalls = 30;
    private const int Shown = 5;

    /// <summary>The largest changes, of what exists in both times.</summary>
    internal static IReadOnlyList<ApiChange> Find(IReadOnlyList<SeriesGroup> now, IReadOnlyList<SeriesGroup> before, View view)
    {
        var earlier = before.ToDictionary(group => (group.Key[0], group.Key[1]), group => group.Total);
        var found = new List<(double Weight, ApiChange Change)>();
        foreach (var group in now)
        {
            if (group.Total.Cell.Count < FewestCalls || !earlier.TryGetValue((group.Key[0], group.Key[1]), out var was) || was.Cell.Count < FewestCalls)
            {
                continue;
            }

            var name = group.Key[1].Length > 0 ? group.Key[1] : group.Key[0] == "egress" ? "unlisted hosts" : "no route";
            var path = view.LinkToApi(group.Key[0], group.Key[1]);
            var errors = (double)group.Total.Errors / group.Total.Cell.Count;
            var errorsBefore = (double)was.Errors / was.Cell.Count;
            if (Math.Abs(errors - errorsBefore) >= 0.01)
            {
                found.Add((Math.Abs(errors - errorsBefore) * 20, new ApiChange(name, $"errors {Units.Share(errorsBefore)} → {Units.Share(errors)}", errors > errorsBefore ? "bad" : "good", path)));
            }

            var slow = group.Total.Cell.Latency.Quantile(0.95);
            var slowBefore = was.Cell.Latency.Quantile(0.95);
            if (slowBefore > TimeSpan.Zero && slow > TimeSpan.Zero && Math.Abs(Math.Log2(slow / slowBefore)) >= 0.5)
            {
                found.Add((Math.Abs(Math.Log2(slow / slowBefore)), new ApiChange(name, $"p95 {Units.Duration(slowBefore)} → {Units.Duration(slow)}", slow > slowBefore ? "bad" : "good", path)));
            }

            var ratio = (double)group.Total.Cell.Count / was.Cell.Count;
            if (ratio is >= 2 or <= 0.5)
            {
                found.Add((Math.Abs(Math.Log2(ratio)) / 2, new ApiChange(name, $"calls {Units.Count(was.Cell.Count)} → {Units.Count(group.Total.Cell.Count)}", "soft", path)));
            }
        }

        return [.. found.OrderByDescending(change => change.Weight).Take(Shown).Select(change => change.Change)];
    }
}
