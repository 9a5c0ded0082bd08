namespace Tidegate.Policies.Limits;

/// <summary>
/// When what was taken, oldest first, in at most <see cref="MaxRuns"/> runs. When there are more, two become one that counts from the later time:
/// memory is bounded, and what is remembered inexactly is remembered too strictly.
/// </summary>
internal sealed class RunLog : CellMemory
{
    /// <summary>16: takers that wait for room all take at the moment that it comes, and such a moment is one run however many take.</summary>
    public const int MaxRuns = 16;

    private long[] _times = new long[2];
    private long[] _counts = new long[2];

    public int Count { get; private set; }

    public long TimeAt(int index) => _times[index];

    public long CountAt(int index) => _counts[index];

    public void Add(long time, long count)
    {
        if (Count > 0 && _times[Count - 1] >= time)
        {
            _counts[Count - 1] += count;
            return;
        }

        if (Count == MaxRuns && !MergeNearest(time))
        {
            _times[Count - 1] = time;
            _counts[Count - 1] += count;
            return;
        }

        if (Count == _times.Length)
        {
            Array.Resize(ref _times, Count * 2);
            Array.Resize(ref _counts, Count * 2);
        }

        _times[Count] = time;
        _counts[Count] = count;
        Count++;
    }

    /// <summary>Forgets runs up to a time.</summary>
    /// <returns>How much they had counted.</returns>
    public long Expire(long upTo)
    {
        var expired = 0;
        var sum = 0L;
        while (expired < Count && _times[expired] <= upTo)
        {
            sum += _counts[expired++];
        }

        if (expired > 0)
        {
            RemoveFirst(expired);
        }

        return sum;
    }

    /// <summary>Takes off the run in which something of that time is counted.</summary>
    /// <returns>How much could be taken off.</returns>
    public long TakeBack(long time, long count)
    {
        for (var i = 0; i < Count; i++)
        {
            if (_times[i] < time)
            {
                continue;
            }

            var part = Math.Min(count, _counts[i]);
            _counts[i] -= part;
            if (_counts[i] == 0)
            {
                Array.Copy(_times, i + 1, _times, i, Count - i - 1);
                Array.Copy(_counts, i + 1, _counts, i, Count - i - 1);
                Count--;
            }

            return part;
        }

        return 0;
    }

    /// <summary>
    /// Makes room for a run at a time. The two become one that delay the least: so many, by so much. By time alone an even flow would end up in one run that
    /// counts all of it from the latest time. False when it is the newest that delays the least by counting from that time.
    /// </summary>
    private bool MergeNearest(long next)
    {
        var nearest = -1;
        var least = (double)_counts[Count - 1] * (next - _times[Count - 1]);
        for (var i = 0; i < Count - 1; i++)
        {
            var delay = (double)_counts[i] * (_times[i + 1] - _times[i]);
            if (delay <= least)
            {
                least = delay;
                nearest = i;
            }
        }

        if (nearest < 0)
        {
            return false;
        }

        _counts[nearest + 1] += _counts[nearest];
        Array.Copy(_times, nearest + 1, _times, nearest, Count - nearest - 1);
        Array.Copy(_counts, nearest + 1, _counts, nearest, Count - nearest - 1);
        Count--;
        return true;
    }

    private void RemoveFirst(int runs)
    {
        Count -= runs;
        Array.Copy(_times, runs, _times, 0, Count);
        Array.Copy(_counts, runs, _counts, 0, Count);
    }
}
