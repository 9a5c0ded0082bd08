namespace Tidegate.Benchmarks.Operations;

/// <summary>What is timed and what is held to an allocation baseline: the same code for both.</summary>
internal static class AllOperations
{
    /// <summary>Each makes its state, and gives back the operation itself.</summary>
    public static IReadOnlyDictionary<string, Func<Action>> ByName { get; } = new SortedDictionary<string, Func<Action>>(
        new[]
        {
            TargetOperations.All,
            RoutingOperations.All,
            HeadOperations.All,
            PolicyOperations.All,
            LimitOperations.All,
            ResilienceOperations.All,
            CacheOperations.All,
            ReplyOperations.All,
            RecordingOperations.All,
            ExchangeOperations.All,
        }.SelectMany(group => group).ToDictionary(entry => entry.Name, entry => entry.Start),
        StringComparer.Ordinal);

    /// <summary>Consumes a task that must be over already: what is measured runs on one thread.</summary>
    public static void Completed(ValueTask task)
    {
        if (!task.IsCompleted)
        {
            throw new InvalidOperationException("The operation went on elsewhere, so it is not measured whole.");
        }

        task.GetAwaiter().GetResult();
    }
}
