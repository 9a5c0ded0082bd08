using Tidegate.Control.Store.Queries;

namespace Tidegate.Dashboard.Data;

/// <summary>What is shown of some exchanges over some time.</summary>
public sealed record Totals
{
    /// <summary>Of none.</summary>
    public static readonly Totals None = new();

    /// <summary>All of them.</summary>
    public long Calls { get; init; }

    /// <summary>Failed, or answered with 500 or more, not by a policy of ours and not because of the client.</summary>
    public long Errors { get; init; }

    /// <summary>Ended by what their clients did.</summary>
    public long ClientFailures { get; init; }

    /// <summary>Refused by the gateway.</summary>
    public long Rejected { get; init; }

    /// <summary>Answered by the upstream with 400 to 499.</summary>
    public long ClientErrors { get; init; }

    /// <summary>Answered from the cache.</summary>
    public long CacheHits { get; init; }

    /// <summary>Where a cache was asked.</summary>
    public long CacheLookups { get; init; }

    /// <summary>Attempts that were made again.</summary>
    public long Retries { get; init; }

    /// <summary>Different client addresses.</summary>
    public long Clients { get; init; }

    /// <summary>Content of requests.</summary>
    public long RequestBytes { get; init; }

    /// <summary>Content of answers.</summary>
    public long ResponseBytes { get; init; }

    /// <summary>What is known of the cost, by currency.</summary>
    public IReadOnlyList<(string Currency, decimal Amount)> Costs { get; init; } = [];

    /// <summary>Calls whose cost is not known, or not all of it.</summary>
    public long UnknownCosts { get; init; }

    /// <summary>Half took no longer.</summary>
    public TimeSpan P50 { get; init; }

    /// <summary>19 of 20 took no longer.</summary>
    public TimeSpan P95 { get; init; }

    /// <summary>99 of 100 took no longer.</summary>
    public TimeSpan P99 { get; init; }

    /// <summary>The longest.</summary>
    public TimeSpan Longest { get; init; }

    /// <summary>Calls in a second.</summary>
    public double PerSecond { get; init; }

    /// <summary>The share of errors, 0 to 1.</summary>
    public double ErrorRate => Calls == 0 ? 0 : (double)Errors / Calls;

    /// <summary>Whether any call has a duration that means something.</summary>
    public bool HasLatency { get; init; }

    /// <summary>Of a group's sums.</summary>
    /// <param name="point">The sums.</param>
    /// <param name="span">Over how long, for the rate.</param>
    internal static Totals Of(SeriesPoint point, TimeSpan span)
    {
        var cell = point.Cell;
        return new Totals
        {
            Calls = cell.Count,
            Errors = point.Errors,
            ClientFailures = point.ClientFailures,
            Rejected = point.Rejected,
            ClientErrors = point.ClientErrors,
            CacheHits = point.CacheHits,
            CacheLookups = point.CacheLookups,
            Retries = cell.Retries,
            Clients = cell.Clients.Estimate(),
            RequestBytes = cell.RequestBytes,
            ResponseBytes = cell.ResponseBytes,
            Costs = [.. cell.Costs.Amounts.OrderBy(cost => cost.Currency, StringComparer.Ordinal)],
            UnknownCosts = cell.Costs.Unknown,
            P50 = cell.Latency.Quantile(0.5),
            P95 = cell.Latency.Quantile(0.95),
            P99 = cell.Latency.Quantile(0.99),
            Longest = TimeSpan.FromTicks(cell.LongestTicks),
            HasLatency = cell.Latency.Count > 0,
            PerSecond = span > TimeSpan.Zero ? cell.Count / span.TotalSeconds : 0,
        };
    }
}
