using Tidegate.Control.Store.Queries;
using Tidegate.Recording;

namespace Tidegate.Control.Admin;

/// <summary>A series as a table: a line for each point of each group.</summary>
internal static class SeriesTable
{
    private static readonly string[] Columns =
    [
        "exchanges", "errors", "client_failures", "rejected", "client_errors", "cache_hits", "cache_lookups", "attempts", "retries", "request_bytes", "response_bytes", "clients",
        "cost", "cost_currency", "cost_attempts", "cost_unknown", "p50_ms", "p95_ms", "p99_ms", "max_ms",
    ];

    public static byte[] Write(SeriesQuery query, SeriesResult result)
    {
        var text = new CsvText().Add("time");
        foreach (var column in query.GroupBy.Concat(Columns))
        {
            text.Add(column);
        }

        text.EndLine();
        foreach (var group in result.Groups)
        {
            foreach (var point in group.Points)
            {
                Write(text, group.Key, point);
            }
        }

        return text.Take();
    }

    private static void Write(CsvText text, IReadOnlyList<string> key, SeriesPoint point)
    {
        text.Add(point.Begin);
        foreach (var name in key)
        {
            text.Add(name);
        }

        var cell = point.Cell;
        text.Add(cell.Count).Add(point.Errors).Add(point.ClientFailures).Add(point.Rejected).Add(point.ClientErrors).Add(point.CacheHits).Add(point.CacheLookups)
            .Add(cell.Attempts).Add(cell.Retries).Add(cell.RequestBytes).Add(cell.ResponseBytes).Add(cell.Clients.Estimate());

        // A cell has one place: sums of several currencies stand in it as text.
        var costs = cell.Costs.Amounts.OrderBy(cost => cost.Currency, StringComparer.Ordinal).ToList();
        text.Add(string.Join(' ', costs.Select(cost => Amounts.Text(cost.Amount)))).Add(string.Join(' ', costs.Select(cost => cost.Currency))).Add(cell.Costs.Billed).Add(cell.Costs.Unknown);
        text.Add(cell.Latency.Quantile(0.5)).Add(cell.Latency.Quantile(0.95)).Add(cell.Latency.Quantile(0.99)).Add(TimeSpan.FromTicks(cell.LongestTicks));
        text.EndLine();
    }
}
