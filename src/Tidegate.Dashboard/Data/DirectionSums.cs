using Tidegate.Control.Store.Queries;
using Tidegate.Dashboard.Charts;

namespace Tidegate.Dashboard.Data;

/// <summary>One direction at a glance.</summary>
/// <param name="Now">In the shown time.</param>
/// <param name="Before">In the time before.</param>
/// <param name="Calls">By what came of them.</param>
public sealed record DirectionSums(Totals Now, Totals Before, ChartSpec Calls)
{
    internal static DirectionSums? Of(string direction, Timeline timeline, SeriesResult? all, SeriesResult? before, TimeSpan span)
    {
        if (all is null)
        {
            return null;
        }

        var group = all.Groups.FirstOrDefault(group => group.Key[0] == direction);
        var earlier = before?.Groups.FirstOrDefault(group => group.Key[0] == direction);
        return new DirectionSums(
            group is null ? Totals.None : Totals.Of(group.Total, span),
            earlier is null ? Totals.None : Totals.Of(earlier.Total, span),
            OutcomeChart.Calls(timeline, group));
    }
}
