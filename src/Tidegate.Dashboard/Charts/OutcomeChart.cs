using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Rollups;
using Tidegate.Dashboard.Data;

namespace Tidegate.Dashboard.Charts;

/// <summary>Charts that several pages have.</summary>
internal static class OutcomeChart
{
    /// <summary>Calls in a second by what came of them, on top of each other.</summary>
    public static ChartSpec Calls(Timeline timeline, SeriesGroup? all)
    {
        var points = all?.Points ?? [];
        return timeline.Chart(
            "bars",
            "rate",
            Layer("good", "good", point => point.Cell.Count - point.Errors - point.ClientFailures - point.Rejected - point.ClientErrors - point.CacheHits),
            Layer("from cache", "cache", point => point.CacheHits),
            Layer("4xx", "warn", point => point.ClientErrors),
            Layer("client left", "soft", point => point.ClientFailures),
            Layer("refused", "refused", point => point.Rejected),
            Layer("errors", "bad", point => point.Errors));

        ChartSeries Layer(string name, string colour, Func<SeriesPoint, double> count) => new(name, colour, timeline.Rate(points, count), IsStacked: true);
    }

    /// <summary>How long calls took.</summary>
    public static ChartSpec Latency(Timeline timeline, SeriesGroup? all)
    {
        var points = all?.Points ?? [];
        return timeline.Chart("lines", "ms", Quantile("p99", "2", 0.99), Quantile("p95", "0", 0.95), Quantile("p50", "1", 0.5));

        ChartSeries Quantile(string name, string colour, double share) =>
            new(name, colour, timeline.Value(points, point => point.Cell.Latency.Count == 0 ? null : point.Cell.Latency.Quantile(share).TotalMilliseconds));
    }

    /// <summary>Where the time of calls went, on average.</summary>
    public static ChartSpec Phases(Timeline timeline, SeriesGroup? all)
    {
        var points = all?.Points ?? [];
        return timeline.Chart(
            "bars",
            "ms",
            Phase("queue", "warn", cell => Mean(cell, cell.QueueTicks)),
            Phase("policies", "3", cell => Mean(cell, cell.PolicyTicks)),
            Phase("connect", "5", cell => Mean(cell, cell.ConnectTicks)),
            Phase("first byte", "0", cell => Math.Max(0, Mean(cell, cell.FirstByteTicks - cell.ConnectTicks))),
            Phase("content", "1", Content));

        // How long tunnels lasted is not in the total: it is the mean of the others, from which the mean of what went before is taken.
        static double Content(RollupCell cell) =>
            cell.Latency.Count == 0 ? 0 : Math.Max(0, ((double)cell.TotalTicks / cell.Latency.Count) - Mean(cell, cell.QueueTicks + cell.PolicyTicks + cell.FirstByteTicks));

        static double Mean(RollupCell cell, long ticks) => (double)ticks / cell.Count;

        ChartSeries Phase(string name, string colour, Func<RollupCell, double> ticks) =>
            new(name, colour, timeline.Value(points, point => point.Cell.Count == 0 ? null : ticks(point.Cell) / TimeSpan.TicksPerMillisecond), IsStacked: true);
    }

    /// <summary>How many calls took how long, step by step.</summary>
    public static ChartSpec Heatmap(Timeline timeline, SeriesGroup? all)
    {
        var rows = LatencyRows.Names;
        var cells = new List<double[]>();
        var byBegin = (all?.Points ?? []).ToDictionary(point => point.Begin);
        foreach (var begin in timeline.Steps)
        {
            var counts = new long[rows.Count];
            if (byBegin.TryGetValue(begin, out var point))
            {
                point.Cell.Latency.CountInto(LatencyRows.Bounds, counts);
            }

            cells.AddRange(counts.Select((count, row) => new[] { Timeline.Milliseconds(begin), row, count }).Where(cell => cell[2] > 0));
        }

        return timeline.Chart("heatmap", "count") with { Rows = rows, Cells = cells };
    }

    /// <summary>The second by second of the last minutes.</summary>
    public static ChartSpec Seconds(IReadOnlyList<Tidegate.Control.Live.SecondCounts> seconds) => new()
    {
        Kind = "bars",
        Unit = "count",
        From = seconds[0].Second * 1_000.0,
        To = (seconds[^1].Second + 1) * 1_000.0,
        Step = 1_000,
        Series =
        [
            new("calls", "0", [.. seconds.Select(second => new double?[] { second.Second * 1_000.0, second.Exchanges - second.Errors })], IsStacked: true),
            new("errors", "bad", [.. seconds.Select(second => new double?[] { second.Second * 1_000.0, second.Errors })], IsStacked: true),
        ],
    };
}
