namespace Tidegate.Policies.Limits;

/// <summary>Who waits how, where limits queue.</summary>
internal sealed record QueueSettings
{
    /// <summary>Waiting exchanges of an API: at the pace of a hundred a second, ten seconds' worth, which is longer than most callers wait.</summary>
    public const int DefaultCapacity = 1_000;

    public static readonly QueueSettings Default = new();

    /// <summary>Exchanges that may wait.</summary>
    public int Capacity { get; init; } = DefaultCapacity;

    /// <summary>How long the exchange may take in all: who would have no time left for its call does not wait for it. Null is unbounded.</summary>
    public TimeSpan? Total { get; init; }

    /// <summary>Callers with the same value stand in one line; the lines of a class are served in turn.</summary>
    public KeyPart FairBy { get; init; } = new(KeyPartKind.Consumer);

    /// <summary>Callers with the same value are a class; classes are served by weight. Null: all are one.</summary>
    public KeyPart? WeightBy { get; init; }

    /// <summary>By value of <see cref="WeightBy"/>; what is not named weighs 1, and where callers choose the value all such are one class.</summary>
    public IReadOnlyDictionary<string, int> Weights { get; init; } = new Dictionary<string, int>();
}
