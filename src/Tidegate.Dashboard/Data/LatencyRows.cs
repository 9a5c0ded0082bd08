namespace Tidegate.Dashboard.Data;

/// <summary>The rows of a latency heatmap: each about twice as long as the one below.</summary>
internal static class LatencyRows
{
    /// <summary>Where each row ends; the last has no end.</summary>
    public static readonly IReadOnlyList<TimeSpan> Bounds = [.. ((ReadOnlySpan<double>)[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000]).ToArray().Select(TimeSpan.FromMilliseconds)];

    /// <summary>How rows are called.</summary>
    public static readonly IReadOnlyList<string> Names = [.. Bounds.Select(bound => "≤ " + Views.Units.Duration(bound)), "> " + Views.Units.Duration(Bounds[^1])];
}
