namespace Tidegate.Host.Demo.Callers;

/// <summary>All calls of a morning, in order. The same seed and day give the same calls at the same times.</summary>
internal sealed class CallPlan(int seed, IReadOnlyList<ICallerGroup> groups)
{
    /// <summary>No second has more; orders and retries come on top.</summary>
    public const int MaxCallsPerSecond = 52;

    /// <summary>Everybody, in a fixed order.</summary>
    public static IReadOnlyList<ICallerGroup> Everybody { get; } = [new Storefronts(), new Checkouts(), new Warehouse(), new SupportDesk(), new Reports(), new Partners(), new Developers(), new CatalogueHooks()];

    /// <summary>The calls of one second of a morning, with the share of the second that has passed then.</summary>
    /// <param name="day">From 1.</param>
    /// <param name="second">From 0 to <see cref="MorningClock.SecondsPerMorning"/>.</param>
    public IReadOnlyList<(double At, DemoCall Call)> Second(int day, int second)
    {
        var clock = MorningClock.At(TimeSpan.FromSeconds(second));
        var calls = new List<(double At, DemoCall Call)>();
        for (var i = 0; i < groups.Count; i++)
        {
            var random = new DemoRandom(HashCode(seed, day, second, i));
            for (var n = random.Count(groups[i].CallsPerSecond[clock]); n > 0; n--)
            {
                calls.Add((random.Below(1_000) / 1_000.0, groups[i].Next(random, clock)));
            }
        }

        // A busy second loses calls of every group alike.
        var cut = new DemoRandom(HashCode(seed, day, second, -1));
        while (calls.Count > MaxCallsPerSecond)
        {
            calls.RemoveAt(cut.Below(calls.Count));
        }

        calls.Sort((one, other) => one.At.CompareTo(other.At));
        return calls;
    }

    // System.HashCode is seeded anew in each process.
    private static int HashCode(params ReadOnlySpan<int> values)
    {
        var hash = 17;
        foreach (var value in values)
        {
            hash = unchecked((hash * 486_187_739) + value);
        }

        return hash;
    }
}
