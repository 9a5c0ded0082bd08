using System.Globalization;
using Tidegate.Dashboard.Views;

namespace Tidegate.Dashboard.Charts;

/// <summary>What a chart shows, as a table: for those who do not see it, and for numbers that one wants to read.</summary>
/// <param name="Columns">Their names.</param>
/// <param name="Rows">A text for each column.</param>
internal sealed record ChartTable(IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<string>> Rows)
{
    // A chart has at most some two hundred steps; a heatmap has rows for each of them.
    private const int MostRows = 400;

    public static ChartTable Of(ChartSpec spec, Viewer viewer) => spec.Kind switch
    {
        "sankey" => new(["From", "To", "Calls"], [.. spec.Links.OrderByDescending(link => link.Value).Take(MostRows).Select(link => (string[])[Label(spec, link.Source), Label(spec, link.Target), Units.Count(link.Value)])]),
        "heatmap" => new(["Time", "Took", "Calls"], [.. spec.Cells.Reverse().Take(MostRows).Select(cell => (string[])[Time(spec, viewer, cell[0]), spec.Rows[(int)cell[1]], Units.Count(cell[2])])]),
        _ => Lines(spec, viewer),
    };

    private static ChartTable Lines(ChartSpec spec, Viewer viewer)
    {
        var times = spec.Series.Count == 0 ? [] : Enumerable.Range(0, spec.Series[0].Points.Count).Reverse().Where(i => spec.Series.Any(series => series.Points[i][1] is not (null or 0))).Take(MostRows);
        return new(
            ["Time", .. spec.Series.Select(series => series.Name)],
            [.. times.Select(i => (string[])[Time(spec, viewer, spec.Series[0].Points[i][0]!.Value), .. spec.Series.Select(series => series.Points[i][1] is { } value ? Value(spec.Unit, value) : Units.None)])]);
    }

    private static string Label(ChartSpec spec, string id) => spec.Nodes.First(node => node.Id == id).Label;

    private static string Time(ChartSpec spec, Viewer viewer, double milliseconds)
    {
        var time = DateTimeOffset.FromUnixTimeMilliseconds((long)milliseconds);
        return spec.Step < 60_000 ? viewer.Clock(time) : viewer.Moment(time);
    }

    private static string Value(string unit, double value) => unit switch
    {
        "rate" => Units.Rate(value),
        "ms" => Units.Duration(TimeSpan.FromMilliseconds(value)),
        "share" => Units.Share(value),
        "bytes" => Units.Bytes(value) + "/s",
        "count" => Units.Count(value),
        _ => value.ToString(CultureInfo.InvariantCulture),
    };
}
