namespace Tidegate.Policies.Hedge;

/// <summary>
/// How long answers take to begin, of the last minute or two: counts in buckets that are a twelfth of a power of two apart, so a quantile is right to six percent,
/// whatever the times are. 280 numbers, however many answers there are.
/// </summary>
internal sealed class LatencySketch(TimeProvider time)
{
    // From a tenth of a millisecond, 23 octaves up: to more than ten minutes. The last bucket has all that is longer.
    private const int BucketsPerOctave = 12;
    private const int Buckets = (23 * BucketsPerOctave) + 1;
    private const double LowestSeconds = 0.0001;

    // Fewer say nothing about a tail.
    private const int MinCount = 20;

    private static readonly TimeSpan Generation = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Refresh = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private int[] _current = new int[Buckets];
    private int[] _previous = new int[Buckets];
    private int _count;
    private int _previousCount;
    private long _began = time.GetTimestamp();
    private double _share;
    private long _computedAt = long.MinValue;
    private long _quantileTicks;

    /// <summary>An answer began after so long.</summary>
    public void Observe(TimeSpan duration)
    {
        Turn(time.GetTimestamp());
        Interlocked.Increment(ref Volatile.Read(ref _current)[BucketOf(duration)]);
        Interlocked.Increment(ref _count);
    }

    /// <summary>What a share of all answers stays below; null while too few have come, or where it is longer than is told apart. Worked out once a second.</summary>
    public TimeSpan? Quantile(double share)
    {
        var now = time.GetTimestamp();
        if (_computedAt != long.MinValue && _share == share && time.GetElapsedTime(Volatile.Read(ref _computedAt), now) < Refresh)
        {
            return TimeSpan.FromTicks(Volatile.Read(ref _quantileTicks));
        }

        Turn(now);
        lock (_gate)
        {
            // Where the share leaves less than one of all, there is nothing to measure it by.
            var total = _count + _previousCount;
            if (total < MinCount || total * (1 - share) < 1)
            {
                return null;
            }

            var behind = (long)Math.Ceiling(total * share);
            var bucket = 0;
            for (long seen = 0; bucket < Buckets - 1; bucket++)
            {
                seen += _current[bucket] + _previous[bucket];
                if (seen >= behind)
                {
                    break;
                }
            }

            if (bucket == Buckets - 1)
            {
                return null;
            }

            // Its upper end: what is as slow as that is still waited for.
            var quantile = TimeSpan.FromSeconds(LowestSeconds * Math.Pow(2, (bucket + 1) / (double)BucketsPerOctave));
            Volatile.Write(ref _quantileTicks, quantile.Ticks);
            _share = share;
            Volatile.Write(ref _computedAt, now);
            return quantile;
        }
    }

    private static int BucketOf(TimeSpan duration)
    {
        var units = duration.TotalSeconds / LowestSeconds;
        return units <= 1 ? 0 : Math.Min(Buckets - 1, (int)(Math.Log2(units) * BucketsPerOctave));
    }

    /// <summary>A quiet time forgets both; else the older generation goes.</summary>
    private void Turn(long now)
    {
        if (time.GetElapsedTime(Volatile.Read(ref _began), now) < Generation)
        {
            return;
        }

        lock (_gate)
        {
            var elapsed = time.GetElapsedTime(_began, now);
            if (elapsed < Generation)
            {
                return;
            }

            var isQuiet = elapsed >= 2 * Generation;
            (_current, _previous) = (_previous, _current);
            Array.Clear(_current);
            _previousCount = isQuiet ? 0 : _count;
            if (isQuiet)
            {
                Array.Clear(_previous);
            }

            _count = 0;
            Volatile.Write(ref _began, now);
        }
    }
}
