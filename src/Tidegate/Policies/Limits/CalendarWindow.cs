namespace Tidegate.Policies.Limits;

/// <summary>The amount within each period of a calendar. All keys share the periods, so the current one is found once and kept.</summary>
internal sealed class CalendarWindow(long amount, CalendarPeriod calendar, TimeProvider time) : LimitAlgorithm
{
    private Window _current = new(0, 0);

    public override long Take(ref LimitCell cell, long cost, long now)
    {
        if (cost > amount)
        {
            return Never;
        }

        var wait = Enter(ref cell, now);
        if (cell.Level + cost > amount)
        {
            return wait;
        }

        cell.Level += cost;
        return 0;
    }

    public override void Charge(ref LimitCell cell, long cost, long now)
    {
        Enter(ref cell, now);
        cell.Level += cost;
    }

    public override void ChargeSeen(ref LimitCell cell, long cost, long now) => cell.Level += cost;

    public override void Give(ref LimitCell cell, long cost, long takenAt, long now)
    {
        Enter(ref cell, now);
        var age = TimeSpan.FromSeconds((now - takenAt) / (double)time.TimestampFrequency);
        if (time.GetUtcNow().UtcTicks - age.Ticks >= Volatile.Read(ref _current).StartTicks)
        {
            cell.Level = Math.Max(0, cell.Level - cost);
        }
    }

    public override string Meaning => $"{calendar.Unit}/{calendar.Zone.Id}/{(calendar.Unit == CalendarUnit.Month ? calendar.ResetDay : 0)}";

    public override long Used(ref LimitCell cell, long now)
    {
        Enter(ref cell, now);
        return cell.Level;
    }

    public override bool IsKept => calendar.Unit != CalendarUnit.Minute;

    public override void Save(ref LimitCell cell, long now, long utcTicks, List<SavedRun> runs)
    {
        Enter(ref cell, now);
        if (cell.Level > 0)
        {
            runs.Add(new SavedRun(cell.Time, cell.Level));
        }
    }

    public override void Load(ref LimitCell cell, long now, long utcTicks, IReadOnlyList<SavedRun> runs)
    {
        if (runs is [var only] && only.UtcTicks > utcTicks)
        {
            cell.Time = only.UtcTicks;
            cell.Level = only.Count;
        }
    }

    public override long WaitBehind(ref LimitCell cell, long ahead, long cost, long now)
    {
        if (cost > amount)
        {
            return Never;
        }

        // Nobody waits for several periods of a calendar: what does not pass in the next one is told to come back after it, and told anew then.
        var wait = Enter(ref cell, now);
        return cell.Level + ahead + cost > amount ? wait : 0;
    }

    /// <summary>Begins a new count when the cell's period is over.</summary>
    /// <returns>Ticks of the clock until the period ends.</returns>
    private long Enter(ref LimitCell cell, long now)
    {
        var utcTicks = time.GetUtcNow().UtcTicks;
        var window = Volatile.Read(ref _current);
        if (utcTicks >= window.EndTicks || utcTicks < window.StartTicks)
        {
            var (start, end) = calendar.Of(new DateTimeOffset(utcTicks, TimeSpan.Zero));
            window = new Window(start.UtcTicks, end.UtcTicks);
            Volatile.Write(ref _current, window);
        }

        // A clock that was set back finds the count of the later period: nothing is given twice.
        if (cell.Time < window.EndTicks)
        {
            cell.Time = window.EndTicks;
            cell.Level = 0;
        }

        var wait = (long)Math.Ceiling((double)(cell.Time - utcTicks) / TimeSpan.TicksPerSecond * time.TimestampFrequency);
        cell.IdleAt = now + wait;
        return wait;
    }

    private sealed record Window(long StartTicks, long EndTicks);
}
