namespace Tidegate.Policies.Limits;

/// <summary>
/// Never more than the amount within any period. Each taking is remembered until it is a period old. A key that takes once in a while needs no more than its
/// cell: one run is kept in place, and only a second makes a log.
/// </summary>
internal sealed class SlidingWindow(long amount, long periodTicks, double ticksPerUtcTick = 100) : LimitAlgorithm
{
    private readonly int _unit = RunLog.UnitFor(periodTicks);

    public override bool IsKept => periodTicks > ticksPerUtcTick * TimeSpan.TicksPerMinute;

    public override void Save(ref LimitCell cell, long now, long utcTicks, List<SavedRun> runs)
    {
        Expire(ref cell, now);
        if (cell.Runs is not { } log)
        {
            if (cell.Level > 0)
            {
                runs.Add(new SavedRun(utcTicks - Utc(now - cell.Time), cell.Level));
            }

            return;
        }

        for (var i = 0; i < log.Count; i++)
        {
            runs.Add(new SavedRun(utcTicks - Utc(now - log.TimeAt(i)), log.CountAt(i)));
        }
    }

    public override void Load(ref LimitCell cell, long now, long utcTicks, IReadOnlyList<SavedRun> runs)
    {
        foreach (var run in runs)
        {
            // A clock that was set back must not make what was taken lie in the future, where it would count for ever.
            Charge(ref cell, run.Count, now - (long)(Math.Max(0, utcTicks - run.UtcTicks) * ticksPerUtcTick));
        }

        Expire(ref cell, now);
        cell.IdleAt = now + periodTicks;
    }

    public override long Take(ref LimitCell cell, long cost, long now)
    {
        if (cost > amount)
        {
            return Never;
        }

        Expire(ref cell, now);
        if (cell.Level + cost <= amount)
        {
            Add(ref cell, cost, now);
            return 0;
        }

        return WaitFor(in cell, cell.Level + cost - amount, now);
    }

    public override void Charge(ref LimitCell cell, long cost, long now)
    {
        Expire(ref cell, now);
        Add(ref cell, cost, now);
    }

    public override void ChargeSeen(ref LimitCell cell, long cost, long now) => Add(ref cell, cost, now);

    private void Add(ref LimitCell cell, long cost, long now)
    {
        if (cost == 0)
        {
            return;
        }

        if (cell.Runs is { } runs)
        {
            var larger = runs.Add(now, cost, cell.Level + cost);
            if (larger != runs)
            {
                cell.Runs = larger;
            }
        }
        else if (cell.Level > 0 && cell.Time != now)
        {
            cell.Runs = RunLog.Start(_unit).Add(cell.Time, cell.Level, cell.Level).Add(now, cost, cell.Level + cost);
        }

        cell.Level += cost;
        cell.Time = now;
        cell.IdleAt = now + periodTicks;
    }

    public override void Give(ref LimitCell cell, long cost, long takenAt, long now)
    {
        Expire(ref cell, now);
        if (takenAt > now - periodTicks)
        {
            cell.Level -= cell.Runs is { } runs ? runs.TakeBack(takenAt, cost) : cell.Time >= takenAt ? Math.Min(cost, cell.Level) : 0;
        }
    }

    public override long Used(ref LimitCell cell, long now)
    {
        Expire(ref cell, now);
        return cell.Level;
    }

    public override long WaitBehind(ref LimitCell cell, long ahead, long cost, long now)
    {
        if (cost > amount)
        {
            return Never;
        }

        // What takes room as soon as it can takes it again a period later: whole amounts before this one cost whole periods.
        Expire(ref cell, now);
        var (periods, rest) = Math.DivRem(ahead + cost - 1, amount);
        var excess = cell.Level + rest + 1 - amount;
        var first = excess <= 0 ? 0 : WaitFor(in cell, excess, now);
        return periods > ((Never - first) / periodTicks) - 1 ? UntilReleased - 1 : first + (periods * periodTicks);
    }

    private long Utc(long ticks) => (long)(ticks / ticksPerUtcTick);

    private void Expire(ref LimitCell cell, long now)
    {
        if (cell.Runs is { } runs)
        {
            cell.Level -= runs.Expire(now - periodTicks);
            if (runs.Unit != _unit)
            {
                cell.Runs = runs.In(_unit);
            }
        }
        else if (cell.Time <= now - periodTicks)
        {
            cell.Level = 0;
        }
    }

    /// <summary>Until so much has become a period old.</summary>
    private long WaitFor(in LimitCell cell, long excess, long now)
    {
        if (cell.Runs is not { } runs)
        {
            return cell.Time + periodTicks - now;
        }

        return runs.TimeOf(excess) + periodTicks - now;
    }
}
