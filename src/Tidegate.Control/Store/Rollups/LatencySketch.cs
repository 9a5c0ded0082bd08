using System.Runtime.CompilerServices;
using Tidegate.Control.Store.Log;

namespace Tidegate.Control.Store.Rollups;

/// <summary>
/// Durations in buckets each 2 % wider than the one before (DDSketch; Masson, Rim and Lee, 2019): every quantile is within 1 % of the truth, and sketches add up without
/// losing that. Few buckets are in use at first: they are kept as pairs, in order. Where most of those from the first to the last are, all of these have a place: then adding is no search. Not thread-safe.
/// </summary>
internal sealed class LatencySketch
{
    // (1 + 1 %) / (1 - 1 %).
    private const double Growth = 1.01 / 0.99;

    // 2^37 µs is 38 hours: what takes longer is a stream, whose duration says nothing.
    private const double MaxMicroseconds = 137_438_953_472;

    private static readonly double InverseLog = 1 / Math.Log(Growth);
    private static readonly int MaxBucket = BucketOf(MaxMicroseconds);

    // So many places for each bucket that is in use are no more than pairs take that have just been given more room.
    private const int MaxSpread = 4;
    private const int MinPairs = 32;

    // Near what is there more will come.
    private const int Room = 8;

    private short[] _buckets = new short[8];
    private long[] _counts = new long[8];
    private int _used;

    // Of the first place; -1 while there are pairs.
    private int _first = -1;

    public long Count { get; private set; }

    /// <summary>Adds a duration.</summary>
    public void Add(TimeSpan duration) => Add(BucketOf(Math.Min(duration.TotalMicroseconds, MaxMicroseconds)), 1);

    /// <summary>Adds all of another's.</summary>
    public void Add(LatencySketch other)
    {
        var at = 0;
        for (var i = 0; i < other._used; i++)
        {
            if (other._counts[i] > 0)
            {
                Add(other.Bucket(i), other._counts[i], ref at);
            }
        }
    }

    /// <summary>Empty again, with the room that it has.</summary>
    public void Clear()
    {
        Count = 0;
        _used = 0;
        _first = -1;
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
                return Middle(Bucket(i));
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
            while (row < bounds.Count && Middle(Bucket(i)) > bounds[row])
            {
                row++;
            }

            rows[row] += _counts[i];
        }
    }

    public void Write(ByteSink bytes)
    {
        bytes.Number((ulong)(_used - _counts.AsSpan(0, _used).Count(0)));
        var last = 0;
        for (var i = 0; i < _used; i++)
        {
            if (_counts[i] > 0)
            {
                bytes.Number((ulong)(Bucket(i) - last));
                bytes.Number((ulong)_counts[i]);
                last = Bucket(i);
            }
        }
    }

    /// <summary>Adds what another wrote.</summary>
    /// <exception cref="InvalidDataException">Nobody wrote it.</exception>
    public void Read(ref ByteSource bytes)
    {
        var bucket = 0;
        var at = 0;
        var left = bytes.Count(MaxBucket + 1);
        var rest = bytes.Rest;
        var read = 0;
        for (; left > 0; left--)
        {
            long count;
            if (rest.Length - read >= 2 && (rest[read] | rest[read + 1]) < 0x80)
            {
                // As nearly all are.
                bucket += rest[read];
                count = rest[read + 1];
                read += 2;
            }
            else
            {
                bytes.Skip(read);
                bucket += bytes.Count(MaxBucket);
                count = (long)bytes.Unsigned();
                rest = bytes.Rest;
                read = 0;
            }

            Add(Math.Min(bucket, MaxBucket), count, ref at);
        }

        bytes.Skip(read);
    }

    private static int BucketOf(double microseconds) => microseconds <= 1 ? 0 : (int)Math.Ceiling(Math.Log(microseconds) * InverseLog);

    // Within 1 % of both ends of the bucket.
    private static TimeSpan Middle(int bucket) => TimeSpan.FromMicroseconds(bucket == 0 ? 1 : 2 * Math.Pow(Growth, bucket) / (Growth + 1));

    private int Bucket(int at) => _first >= 0 ? _first + at : _buckets[at];

    private void Add(int bucket, long count)
    {
        var at = _first >= 0 ? 0 : Array.BinarySearch(_buckets, 0, _used, (short)bucket);
        at = at < 0 ? ~at : at;
        Add(bucket, count, ref at);
    }

    /// <summary>Adds to a bucket that is at a place or behind it: whoever adds many comes in their order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Add(int bucket, long count, ref int at)
    {
        Count += count;
        if (_first >= 0 && (uint)(bucket - _first) < (uint)_used)
        {
            _counts[bucket - _first] += count;
            return;
        }

        AddToPairs(bucket, count, ref at);
    }

    private void AddToPairs(int bucket, long count, ref int at)
    {
        if (_first >= 0)
        {
            if (TryWiden(bucket))
            {
                _counts[bucket - _first] += count;
                return;
            }

            BecomePairs();
            at = 0;
        }

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
            if (TryBecomePlaces(bucket))
            {
                _counts[bucket - _first] += count;
                return;
            }

            HavePairs(_used * 2);
        }

        Array.Copy(_buckets, at, _buckets, at + 1, _used - at);
        Array.Copy(_counts, at, _counts, at + 1, _used - at);
        _buckets[at] = (short)bucket;
        _counts[at] = count;
        _used++;
    }

    private void HavePairs(int most)
    {
        Array.Resize(ref _buckets, Math.Max(_buckets.Length, most));
        Array.Resize(ref _counts, Math.Max(_counts.Length, _buckets.Length));
    }

    /// <summary>Makes a place of each bucket from the first to the last, with one that comes, unless most would stay empty.</summary>
    private bool TryBecomePlaces(int bucket)
    {
        var first = Math.Min(_buckets[0], bucket);
        var places = Math.Max(_buckets[_used - 1], bucket) - first + 1;
        if (_used < MinPairs || places > MaxSpread * (_used + 1))
        {
            return false;
        }

        HavePlaces(places);
        Array.Clear(_counts, _used, places - _used);
        for (var i = _used - 1; i >= 0; i--)
        {
            // Each place is where its pair was, or behind it.
            var count = _counts[i];
            _counts[i] = 0;
            _counts[_buckets[i] - first] = count;
        }

        _used = places;
        _first = first;
        return true;
    }

    private bool TryWiden(int bucket)
    {
        var first = Math.Min(_first, bucket);
        var places = Math.Max(_first + _used - 1, bucket) - first + 1;
        if (places > MaxSpread * (_used - _counts.AsSpan(0, _used).Count(0) + 1))
        {
            return false;
        }

        HavePlaces(places);
        var moved = _first - first;
        Array.Copy(_counts, 0, _counts, moved, _used);
        Array.Clear(_counts, 0, moved);
        Array.Clear(_counts, moved + _used, places - moved - _used);
        _used = places;
        _first = first;
        return true;
    }

    private void HavePlaces(int places)
    {
        if (_counts.Length < places)
        {
            Array.Resize(ref _counts, places + Room);
        }
    }

    private void BecomePairs()
    {
        HavePairs(_used - _counts.AsSpan(0, _used).Count(0) + Room);
        var pairs = 0;
        for (var i = 0; i < _used; i++)
        {
            if (_counts[i] > 0)
            {
                _buckets[pairs] = (short)(_first + i);
                _counts[pairs++] = _counts[i];
            }
        }

        _used = pairs;
        _first = -1;
    }
}
