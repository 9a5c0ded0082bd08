namespace Tidegate.Host.Demo;

/// <summary>Seeded chance. Simulated APIs answer many calls at once, so it is locked.</summary>
internal sealed class DemoRandom(int seed)
{
    private readonly Random _random = new(seed);
    private readonly Lock _lock = new();

    /// <summary>From 0 up to, not including, the limit.</summary>
    public int Below(int limit)
    {
        lock (_lock)
        {
            return _random.Next(limit);
        }
    }

    /// <summary>True in this share of cases, 0 to 1.</summary>
    public bool Chance(double share)
    {
        lock (_lock)
        {
            return _random.NextDouble() < share;
        }
    }

    /// <summary>One of them.</summary>
    public T Pick<T>(IReadOnlyList<T> items) => items[Below(items.Count)];

    /// <summary>Durations as servers have them: most near the median, few much longer (log-normal).</summary>
    public TimeSpan Duration(double medianMilliseconds, double spread = 0.5)
    {
        lock (_lock)
        {
            var normal = Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());
            return TimeSpan.FromMilliseconds(Math.Min(medianMilliseconds * Math.Exp(spread * normal), 60_000));
        }
    }

    /// <summary>How many of something that happens on average so often (Poisson).</summary>
    public int Count(double mean)
    {
        lock (_lock)
        {
            var limit = Math.Exp(-mean);
            var count = 0;
            for (var product = _random.NextDouble(); product > limit; product *= _random.NextDouble())
            {
                count++;
            }

            return count;
        }
    }
}
