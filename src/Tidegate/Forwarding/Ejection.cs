namespace Tidegate.Forwarding;

/// <summary>When a destination is left out.</summary>
/// <param name="Failures">In a row.</param>
/// <param name="For">How long the first time; twice that the second, up to five times.</param>
/// <param name="IsObserved">It keeps its turns, and records say when it would not have.</param>
public sealed record Ejection(int Failures, TimeSpan For, bool IsObserved = false)
{
    /// <summary>5 in a row are no accident; 10 s is what a process takes to start.</summary>
    public static readonly Ejection Default = new(5, TimeSpan.FromSeconds(10));

    /// <summary>The share of failures within <see cref="Window"/>, 0 to 1: half of all, as with a circuit. One that fails now and then never fails so often in a row.</summary>
    public double FailureRatio { get; init; } = 0.5;

    /// <summary>Results within the window before their share means anything.</summary>
    public int Minimum { get; init; } = 20;

    /// <summary>What counts for the share: between half of that and all of it.</summary>
    public TimeSpan Window { get; init; } = TimeSpan.FromSeconds(30);
}
