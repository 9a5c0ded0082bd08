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

    /// <summary>The sums of as much time just before the query's; of hours where minutes are not kept that long.</summary>
    public static SeriesQuery Before(SeriesQuery query, DateTimeOffset now)
    {
        var from = query.From - (query.To - query.From);
        return query with { From = from, To = query.From, Step = query.IsHourly ? query.Step : SeriesQuery.StepFor(from, query.From, now), HasPoints = false };
    }
}
