namespace Tidegate.Policies.Limits;

/// <summary>A count as it outlives the process.</summary>
/// <param name="Key">Of limit and key parts.</param>
/// <param name="Runs">What the algorithm needs, oldest first; empty when there is nothing left to remember.</param>
/// <param name="ExpiresUtcTicks">When it will say no more than a fresh one.</param>
internal readonly record struct SavedCount(UInt128 Key, IReadOnlyList<SavedRun> Runs, long ExpiresUtcTicks);

/// <summary>So much at, or until, a time.</summary>
/// <param name="UtcTicks">Of the calendar, so that it means the same to the next process.</param>
/// <param name="Count">What the algorithm counts.</param>
internal readonly record struct SavedRun(long UtcTicks, long Count);
