namespace Tidegate.Policies.CircuitBreaker;

/// <summary>When an upstream counts as down, and for how long it is left alone.</summary>
internal sealed record CircuitBreakerSettings
{
    /// <summary>Half of all: below that, retries mend more than a closed door would save.</summary>
    public const double DefaultFailureRatio = 0.5;

    /// <summary>20 results: fewer say nothing about a share.</summary>
    public const int DefaultMinimum = 20;

    /// <summary>Long enough to see a quiet API's results, short enough that old ones do not weigh.</summary>
    public static readonly TimeSpan DefaultWindow = TimeSpan.FromSeconds(30);

    /// <summary>What a restart commonly takes.</summary>
    public static readonly TimeSpan DefaultOpenFor = TimeSpan.FromSeconds(15);

    /// <summary>The share of failures, 0 to 1, from which it opens.</summary>
    public double FailureRatio { get; init; } = DefaultFailureRatio;

    /// <summary>Results in the window before their share means anything.</summary>
    public int Minimum { get; init; } = DefaultMinimum;

    public TimeSpan Window { get; init; } = DefaultWindow;

    public TimeSpan OpenFor { get; init; } = DefaultOpenFor;

    /// <summary>Attempts that must succeed, one after the other, before it closes; as many may be under way at once.</summary>
    public int Probes { get; init; } = 1;

    public PolicyMode Mode { get; init; }
}
