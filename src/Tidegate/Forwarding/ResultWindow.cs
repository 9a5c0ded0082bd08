namespace Tidegate.Forwarding;

/// <summary>Good and bad results, all of them and those of late: of the half of a window that runs and of the one before it.</summary>
internal sealed class ResultWindow
{
    private readonly Lock _gate = new();
    private long _good;
    private long _bad;
    private long _goodBefore;
    private long _badBefore;
    private long _goodAtHalf;
    private long _badAtHalf;
    private long _halfEnds;

    public long AllGood => Interlocked.Read(ref _good);

    public long AllBad => Interlocked.Read(ref _bad);

    public void Good(long now, long windowTicks)
    {
        Turn(now, windowTicks / 2);
        Interlocked.Increment(ref _good);
    }

    public void Bad(long now, long windowTicks)
    {
        Turn(now, windowTicks / 2);
        Interlocked.Increment(ref _bad);
    }

    /// <summary>Whether of at least so many results of late so large a share was bad.</summary>
    public bool IsBad(int minimum, double share)
    {
        lock (_gate)
        {
            var bad = AllBad - _badBefore;
            var results = AllGood - _goodBefore + bad;
            return results >= minimum && bad >= share * results;
        }
    }

    /// <summary>What was is no longer of late.</summary>
    public void Forget()
    {
        lock (_gate)
        {
            (_goodBefore, _badBefore) = (_goodAtHalf, _badAtHalf) = (AllGood, AllBad);
        }
    }

    private void Turn(long now, long halfTicks)
    {
        if (now < Interlocked.Read(ref _halfEnds))
        {
            return;
        }

        lock (_gate)
        {
            if (now < _halfEnds)
            {
                return;
            }

            // After a quiet time nothing is of late.
            (_goodBefore, _badBefore) = now < _halfEnds + halfTicks ? (_goodAtHalf, _badAtHalf) : (AllGood, AllBad);
            (_goodAtHalf, _badAtHalf) = (AllGood, AllBad);
            Interlocked.Exchange(ref _halfEnds, now + Math.Max(1, halfTicks));
        }
    }
}
