namespace Tidegate.Policies.Limits;

/// <summary>
/// A burst at once, then an even flow. In whole numbers throughout: the level is counted in tokens times the period's units, and falls by the amount with
/// every unit of time, so that nothing is ever rounded in favour of the caller.
/// </summary>
internal sealed class TokenBucket : LimitAlgorithm
{
    // Levels stay below a quarter of what a long holds, so that sums of two cannot overflow.
    private const long MaxLevel = 1L << 61;

    private readonly double _ticksPerUtcTick;
    private readonly long _amount;
    private readonly long _burst;
    private readonly long _ticksPerUnit;
    private readonly long _unitsPerPeriod;
    private readonly long _capacity;
    private readonly long _unitsToDrain;

    /// <param name="amount">Tokens per period.</param>
    /// <param name="periodTicks">In ticks of the clock.</param>
    /// <param name="burst">Tokens that may be taken at once.</param>
    /// <param name="ticksPerUtcTick">Of the clock, in 100 ns.</param>
    public TokenBucket(long amount, long periodTicks, long burst, double ticksPerUtcTick = 100)
    {
        IsKept = (double)burst / amount * periodTicks > ticksPerUtcTick * TimeSpan.TicksPerMinute;
        _ticksPerUtcTick = ticksPerUtcTick;
        _amount = amount;
        _burst = burst;
        _ticksPerUnit = 1;
        var most = (UInt128)Math.Max(amount, burst);
        while (most * (UInt128)(periodTicks / _ticksPerUnit) > MaxLevel)
        {
            _ticksPerUnit *= 10;
        }

        // Up: a unit more in a period is slower, never faster.
        _unitsPerPeriod = ((periodTicks - 1) / _ticksPerUnit) + 1;
        _capacity = burst * _unitsPerPeriod;
        _unitsToDrain = ((_capacity - 1) / amount) + 1;
    }

    public override long Take(ref LimitCell cell, long cost, long now)
    {
        if (cost > _burst)
        {
            return Never;
        }

        Drain(ref cell, now);
        var need = cost * _unitsPerPeriod;
        if (cell.Level + need <= _capacity)
        {
            cell.Level += need;
            Touch(ref cell);
            return 0;
        }

        var units = ((cell.Level + need - _capacity - 1) / _amount) + 1;
        return (units * _ticksPerUnit) - (now - cell.Time);
    }

    public override void Charge(ref LimitCell cell, long cost, long now)
    {
        Drain(ref cell, now);
        var need = cost > MaxLevel / _unitsPerPeriod ? MaxLevel : cost * _unitsPerPeriod;
        cell.Level = Math.Min(MaxLevel, cell.Level + need);
        Touch(ref cell);
    }

    public override void Give(ref LimitCell cell, long cost, long takenAt, long now)
    {
        Drain(ref cell, now);

        // What has flowed off since it was taken may have been this: only the rest is certainly still in the level.
        var left = ((Int128)cost * _unitsPerPeriod) - ((Int128)((now - takenAt) / _ticksPerUnit) * _amount);
        cell.Level = (long)Int128.Max(0, cell.Level - Int128.Max(0, left));
        Touch(ref cell);
    }

    /// <summary>How full it is, in tokens.</summary>
    public double Level(ref LimitCell cell, long now)
    {
        Drain(ref cell, now);
        return (double)cell.Level / _unitsPerPeriod;
    }

    public override string Meaning => $"{_unitsPerPeriod}/{_ticksPerUnit}";

    public override long Used(ref LimitCell cell, long now)
    {
        Drain(ref cell, now);
        return ((cell.Level - 1) / _unitsPerPeriod) + (cell.Level > 0 ? 1 : 0);
    }

    public override bool IsKept { get; }

    public override void Save(ref LimitCell cell, long now, long utcTicks, List<SavedRun> runs)
    {
        Drain(ref cell, now);
        if (cell.Level > 0)
        {
            // Tokens, upwards: what is remembered inexactly is remembered too strictly.
            runs.Add(new SavedRun(utcTicks - (long)((now - cell.Time) / _ticksPerUtcTick), ((cell.Level - 1) / _unitsPerPeriod) + 1));
        }
    }

    public override void Load(ref LimitCell cell, long now, long utcTicks, IReadOnlyList<SavedRun> runs)
    {
        if (runs is [var only])
        {
            cell.Time = now - (long)(Math.Max(0, utcTicks - only.UtcTicks) * _ticksPerUtcTick);
            cell.Level = Math.Min(MaxLevel, only.Count * _unitsPerPeriod);
            Drain(ref cell, now);
            Touch(ref cell);
        }
    }

    public override long WaitBehind(ref LimitCell cell, long ahead, long cost, long now)
    {
        if (cost > _burst)
        {
            return Never;
        }

        Drain(ref cell, now);
        var units = ((cell.Level + ((Int128)(ahead + cost) * _unitsPerPeriod) - _capacity - 1) / _amount) + 1;
        return units <= 0 ? 0 : (long)Int128.Min((units * _ticksPerUnit) - (now - cell.Time), UntilReleased - 1);
    }

    private void Drain(ref LimitCell cell, long now)
    {
        var units = (now - cell.Time) / _ticksPerUnit;
        if (units <= 0)
        {
            return;
        }

        if (units >= _unitsToDrain + (cell.Level / _amount) || units * _amount >= cell.Level)
        {
            // Empty: what time is left over earns nothing.
            cell.Level = 0;
            cell.Time = now;
            return;
        }

        // What is left of a unit stays on the clock for the next time.
        cell.Level -= units * _amount;
        cell.Time += units * _ticksPerUnit;
    }

    private void Touch(ref LimitCell cell) => cell.IdleAt = cell.Time + (((cell.Level / _amount) + 1) * _ticksPerUnit);
}
