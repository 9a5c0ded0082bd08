using Tidegate.Control.Store.Log;

namespace Tidegate.Control.Store.Rollups;

/// <summary>
/// Durations in buckets each 2 % wider than the one before (DDSketch; Masson, Rim and Lee, 2019): every quantile is within 1 % of the truth, and sketches add up without
/// losing that. Few buckets are in use: they are kept as pairs, in order. Not thread-safe.
/// </summary>
internal sealed class LatencySketch
{
    // (1 + 1 %) / (1 - 1 %).
    private const double Growth = 1.01 / 0.99;

    // 2^37 µs is 38 hours: what takes longer is a stream, whose duration says nothing.
    private const double MaxMicroseconds = 137_438_953_472;

    private static readonly double InverseLog = 1 / Math.Log(Growth);
    private static readonly int MaxBucket = BucketOf(MaxMicroseconds);

    private short[] _buckets = new short[8];
    private long[] _counts = new long[8];
    private int _used;

    public long Count { get; private set; }

    /// <summary>Adds a duration.</summary>
    public void Add(TimeSpan duration) => Add((short)BucketOf(Math.Min(duration.TotalMicroseconds, MaxMicroseconds)), 1);

    /// <summary>Adds all of another's.</summary>
    public void Add(LatencySketch other)
    {
        var at = 0;
        for (var i = 0; i < other._used; i++)
        {
            Add(other._buckets[i], other._counts[i], ref at);
        }
    }

    /// <summary>Empty again, with the room that it has.</summary>
    public void Clear()
    {
        Count = 0;
        _used = 0;
    }

    /// <summary>The duration that so large a share is not longer than; zero when there is none.</summary>
    /// <param name="share">0 to 1.</param>
    public TimeSpan Quantile(double share)
    {
        var rank = (long)(share * (Count - 1));
        for (var i = 0; i < _used; i++)
        {
            rank -= _counts[i];
            if (rank < 0)
            {
                return Middle(_buckets[i]);
            }
        }

        return TimeSpan.Zero;
    }

    /// <summary>Adds to each row how many are longer than the bound before and not longer than its own; the last row has no bound. Exact to 1 % of a bound.</summary>
    public void CountInto(IReadOnlyList<TimeSpan> bounds, Span<long> rows)
    {
        var row = 0;
        for (var i = 0; i < _used; i++)
        {
            while (row < bounds.Count && Middle(_buckets[i]) > bounds[row])
            {
                row++;
            }

            rows[row] += _counts[i];
        }
    }

    public void Write(ByteSink bytes)
    {
        bytes.Number((ulong)_used);
        for (var i = 0; i < _used; i++)
        {
            bytes.Number((ulong)(_buckets[i] - (i == 0 ? 0 : _buckets[i - 1])));
            bytes.Number((ulong)_counts[i]);
        }
    }

    /// <summary>Adds what another wrote.</summary>
    /// <exception cref="InvalidDataException">Nobody wrote it.</exception>
    public void Read(ref ByteSource bytes)
    {
        var bucket = 0;
        var at = 0;
        for (var left = bytes.Count(MaxBucket + 1); left > 0; left--)
        {
            bucket += bytes.Count(MaxBucket);
            Add((short)Math.Min(bucket, MaxBucket), (long)bytes.Unsigned(), ref at);
        }
    }

    private static int BucketOf(double microseconds) => microseconds <= 1 ? 0 : (int)Math.Ceiling(Math.Log(microseconds) * InverseLog);

    // Within 1 % of both ends of the bucket.
    private static TimeSpan Middle(int bucket) => TimeSpan.FromMicroseconds(bucket == 0 ? 1 : 2 * Math.Pow(Growth, bucket) / (Growth + 1));

    private void Add(short bucket, long count)
    {
        var at = Array.BinarySearch(_buckets, 0, _used, bucket);
        at = at < 0 ? ~at : at;
        Add(bucket, count, ref at);
    }

    /// <summary>Adds to a bucket that is at a place or behind it: whoever adds many comes in their order.</summary>
    private void Add(short bucket, long count, ref int at)
    {
        Count += count;
        while (at < _used && _buckets[at] < bucket)
        {
            at++;
        }

        if (at < _used && _buckets[at] == bucket)
        {
            _counts[at] += count;
            return;
        }

        if (_used == _buckets.Length)
        {
            Array.Resize(ref _buckets, _used * 2);
            Array.Resize(ref _counts, _used * 2);
        }

        Array.Copy(_buckets, at, _buckets, at + 1, _used - at);
        Array.Copy(_counts, at, _counts, at + 1, _used - at);
        _buckets[at] = bucket;
        _counts[at] = count;
        _used++;
    }
}
