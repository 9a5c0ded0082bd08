using Tidegate.Control.Store.Queries;

namespace Tidegate.Dashboard.Data;

/// <summary>A row of a table of exchanges that have something in common.</summary>
/// <param name="Names">What they have in common, column by column.</param>
/// <param name="Now">Their sums.</param>
/// <param name="Path">Where one sees more; empty: nowhere.</param>
public sealed record GroupRow(IReadOnlyList<string> Names, Totals Now, string Path)
{
    /// <summary>The largest first.</summary>
    internal static IReadOnlyList<GroupRow> Of(SeriesResult? sums, TimeSpan span, Func<IReadOnlyList<string>, string> path) =>
    [
        .. (sums?.Groups ?? []).Select(group => new GroupRow(group.Key, Totals.Of(group.Total, span), path(group.Key))),
        .. sums is { OmittedGroups: > 0 } ? (GroupRow[])[new GroupRow([$"others ({Views.Units.Count(sums.OmittedGroups)})"], Totals.Of(sums.Others, span), "")] : [],
    ];

    /// <summary>Of statuses: the one of exchanges whose client got no answer has no name.</summary>
    internal static IReadOnlyList<GroupRow> OfStatuses(SeriesResult? sums, TimeSpan span, Func<IReadOnlyList<string>, string> path) =>
        [.. Of(sums, span, path).Select(row => row.Names[0] == "0" ? row with { Names = [""] } : row)];
}
