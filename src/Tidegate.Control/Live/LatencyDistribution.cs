using System.Numerics;

namespace Tidegate.Control.Live;

/// <summary>
/// Durations in buckets that each double is split into eight: any quantile is within 7 % of the truth, at 1 KB whatever the number of
/// durations. Distributions add up, so that a minute is the sum of its slices. Not thread-safe.
/// </summary>
internal sealed class LatencyDistribution
{
    private const int SubBits = 3;
    private const int SubBuckets = 1 << SubBits;

    // 2^37 µs is 38 hours: what takes longer is a stream, whose duration says nothing.
    private const int MaxExponent = 36;

    private readonly int[] _counts = new int[(MaxExponent - SubBits + 2) * SubBuckets];

    public long Count { get; private set; }

    /// <summary>The longest, exactly.</summary>
    public TimeSpan Longest { get; private set; }

    public void Add(TimeSpan duration)
    {
        _counts[Bucket((ulong)Math.Max(0, duration.Ticks / TimeSpan.TicksPerMicrosecond))]++;
        Count++;
        Longest = duration > Longest ? duration : Longest;
    }

    public void Add(LatencyDistribution other)
    {
        for (var i = 0; i < _counts.Length; i++)
        {
            _counts[i] += other._counts[i];
        }

        Count += other.Count;
        Longest = other.Longest > Longest ? other.Longest : Longest;
    }

    public void Clear()
    {
        Array.Clear(_counts);
        Count = 0;
        Longest = TimeSpan.Zero;
    }

    /// <summary>The duration that this share of all is not above.</summary>
    /// <param name="share">Above 0 and at most 1.</param>
    public TimeSpan Quantile(double share)
    {
        var rank = (long)Math.Ceiling(share * Count);
        var seen = 0L;
        for (var i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (_counts[i] > 0 && seen >= rank)
            {
                var middle = TimeSpan.FromMicroseconds(Middle(i));
                return middle > Longest ? Longest : middle;
            }
        }

        return TimeSpan.Zero;
    }

    private static int Bucket(ulong microseconds)
    {
        if (microseconds < SubBuckets)
        {
            return (int)microseconds;
        }

        var exponent = BitOperations.Log2(microseconds);
        if (exponent > MaxExponent)
        {
            return ((MaxExponent - SubBits + 2) * SubBuckets) - 1;
        }

        var sub = (int)(microseconds >> (exponent - SubBits)) & (SubBuckets - 1);
        return ((exponent - SubBits + 1) * SubBuckets) + sub;
    }

    private static double Middle(int bucket)
    {
        if (bucket < SubBuckets)
        {
            return bucket;
        }

        var shift = (bucket / SubBuckets) - 1;
        return ((ulong)(SubBuckets + (bucket % SubBuckets)) << shift) + (((1UL << shift) - 1) / 2.0);
    }
}
