namespace Tidegate.Policies.Limits;

/// <summary>
/// When what was taken, oldest first, in at most <see cref="MaxRuns"/> runs. When there are more, two become one that counts from the later time:
/// memory is bounded, and what is remembered inexactly is remembered too strictly.
/// </summary>
internal sealed class RunLog : CellMemory
{
    /// <summary>16: takers that wait for room all take at the moment that it comes, and such a moment is one run however many take.</summary>
    public const int MaxRuns = 16;

    private const int FirstSize = 2;

    // Of the object and of its array, as the runtime lays them out, without the runs.
    private const int BareBytes = 64;
    private const int BytesPerRun = 2 * sizeof(long);

    private Run[] _runs = new Run[FirstSize];

    // No two of the runs would delay less than this if they became one; 0 when that is not known.
    private double _leastDelay;

    public RunLog() => Bytes = BareBytes + (FirstSize * BytesPerRun);

    public int Count { get; private set; }

    public long TimeAt(int index) => _runs[index].Time;

    public long CountAt(int index) => _runs[index].Count;

    public void Add(long time, long count)
    {
        if (Count > 0)
        {
            ref var last = ref _runs[Count - 1];
            if (last.Time >= time)
            {
                last.Count += count;
                return;
            }

            if (Count == MaxRuns && !MergeNearest(time))
            {
                last.Time = time;
                last.Count += count;
                return;
            }
        }

        if (Count < MaxRuns)
        {
            _leastDelay = 0;
        }

        if (Count == _runs.Length)
        {
            Array.Resize(ref _runs, Count * 2);
            Bytes = BareBytes + (_runs.Length * BytesPerRun);
        }

        _runs[Count] = new Run(time, count);
        Count++;
    }

    /// <summary>Forgets runs up to a time.</summary>
    /// <returns>How much they had counted.</returns>
    public long Expire(long upTo)
    {
        var expired = 0;
        var sum = 0L;
        while (expired < Count && _runs[expired].Time <= upTo)
        {
            sum += _runs[expired++].Count;
        }

        if (expired > 0)
        {
            Remove(0, expired);
        }

        return sum;
    }

    /// <summary>Takes off the run in which something of that time is counted.</summary>
    /// <returns>How much could be taken off.</returns>
    public long TakeBack(long time, long count)
    {
        for (var i = 0; i < Count; i++)
        {
            ref var run = ref _runs[i];
            if (run.Time < time)
            {
                continue;
            }

            var part = Math.Min(count, run.Count);
            run.Count -= part;
            _leastDelay = 0;
            if (run.Count == 0)
            {
                Remove(i, 1);
            }

            return part;
        }

        return 0;
    }

    /// <summary>
    /// Makes room for a run at a time. The two become one that delay the least: so many, by so much. By time alone an even flow would end up in one run that
    /// counts all of it from the latest time. The newest is judged by all of the time that it has come to stand for, because what it has delayed already by growing
    /// is not seen any more. False when it is the newest that delays the least by counting from that time.
    /// </summary>
    private bool MergeNearest(long next)
    {
        var runs = _runs.AsSpan(0, MaxRuns);
        var ofNewest = (double)runs[MaxRuns - 1].Count * (next - runs[MaxRuns - 2].Time);
        if (ofNewest < _leastDelay)
        {
            return false;
        }

        var nearest = 0;
        var least = double.MaxValue;
        for (var i = 0; i < runs.Length - 1; i++)
        {
            var delay = (double)runs[i].Count * (runs[i + 1].Time - runs[i].Time);
            if (delay <= least)
            {
                least = delay;
                nearest = i;
            }
        }

        // Whatever becomes one now, the others delay no less afterwards than they do now.
        _leastDelay = least;
        if (ofNewest < least)
        {
            return false;
        }

        runs[nearest + 1].Count += runs[nearest].Count;
        runs[(nearest + 1)..].CopyTo(runs[nearest..]);
        Count--;
        return true;
    }

    private void Remove(int first, int count)
    {
        _runs.AsSpan(first + count, Count - first - count).CopyTo(_runs.AsSpan(first));
        Count -= count;
    }

    private record struct Run(long Time, long Count);
}
