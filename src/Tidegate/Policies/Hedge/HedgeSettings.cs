namespace Tidegate.Policies.Hedge;

/// <summary>When a second request is sent beside one that is slow.</summary>
internal sealed record HedgeSettings
{
    /// <summary>95 %: the slowest twentieth is what hedging is for (Dean and Barroso, The Tail at Scale).</summary>
    public const double DefaultPercentile = 0.95;

    /// <summary>5 % more requests, which is what hedging after the 95th percentile costs.</summary>
    public const double DefaultBudget = 0.05;

    public const int DefaultMax = 1;

    /// <summary>A fixed time; null when it is measured.</summary>
    public TimeSpan? After { get; init; }

    /// <summary>Which of the times that answers take, 0 to 1, when there is no fixed one.</summary>
    public double Percentile { get; init; } = DefaultPercentile;

    /// <summary>Hedges for each call, 0 to 1.</summary>
    public double Budget { get; init; } = DefaultBudget;

    /// <summary>Requests beside the first.</summary>
    public int Max { get; init; } = DefaultMax;

    public PolicyMode Mode { get; init; }
}
