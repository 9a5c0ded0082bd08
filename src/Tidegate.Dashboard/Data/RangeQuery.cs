using Tidegate.Control.Store.Queries;
using Tidegate.Dashboard.Views;

namespace Tidegate.Dashboard.Data;

/// <summary>Queries of the time that a page shows.</summary>
internal static class RangeQuery
{
    /// <summary>The sums of the range.</summary>
    public static SeriesQuery Of(TimeRange range, DateTimeOffset now, IReadOnlyList<string> groupBy, params IReadOnlyList<(string Dimension, string Value)> filters) => new()
    {
        From = range.From(now),
        To = range.To(now),
        Step = SeriesQuery.StepFor(range.From(now), range.To(now), now),
        GroupBy = groupBy,
        Filters = filters,
        Top = SeriesQuery.MaxGroups,
    };

    /// <summary>Without the points of charts: for tables.</summary>
    public static SeriesQuery Totals(SeriesQuery query) => query with { HasPoints = false };
}
