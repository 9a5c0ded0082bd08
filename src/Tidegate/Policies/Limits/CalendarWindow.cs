namespace Tidegate.Policies.Limits;

/// <summary>The amount within each period of a calendar. All keys share the periods, so the current one is found once and kept.</summary>
internal sealed class CalendarWindow(long amount, CalendarPeriod calendar, TimeProvider time) : LimitAlgorithm
{
    // Between two looks at the calendar's clock timestamps tell the time: a clock that is set is followed a tenth of a second later.
    private const int LooksPerSecond = 10;

    private Window _current = new(0, 0, 0, 0, 0);

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
        var window = Volatile.Read(ref _current);
        if (!window.Holds(now))
        {
            window = Look(window, now);
        }

        // A clock that was set back finds the count of the later period: nothing is given twice.
        if (cell.Time < window.EndTicks)
        {
            cell.Time = window.EndTicks;
            cell.Level = 0;
        }

        cell.IdleAt = cell.Time == window.EndTicks ? window.EndsAt : window.EndsAt + Timestamps(cell.Time - window.EndTicks);
        return cell.IdleAt - now;
    }

    private Window Look(Window window, long now)
    {
        var utcTicks = time.GetUtcNow().UtcTicks;
        var (start, end) = (window.StartTicks, window.EndTicks);
        if (utcTicks >= end || utcTicks < start)
        {
            var (first, next) = calendar.Of(new DateTimeOffset(utcTicks, TimeSpan.Zero));
            (start, end) = (first.UtcTicks, next.UtcTicks);
        }

        window = new Window(start, end, now, now + Timestamps(end - utcTicks), LookTicks);
        Volatile.Write(ref _current, window);
        return window;
    }

    private long LookTicks => time.TimestampFrequency / LooksPerSecond;

    private long Timestamps(long utcTicks) => (long)Math.Ceiling((double)utcTicks / TimeSpan.TicksPerSecond * time.TimestampFrequency);

    /// <summary>A period of the calendar, and what the calendar's clock said of it at a time.</summary>
    /// <param name="StartTicks">Of the calendar.</param>
    /// <param name="EndTicks">Of the calendar.</param>
    /// <param name="LookedAt">A timestamp.</param>
    /// <param name="EndsAt">The timestamp at which it ends.</param>
    /// <param name="LookTicks">How long what was seen then is taken to hold, as far as the period reaches.</param>
    private sealed record Window(long StartTicks, long EndTicks, long LookedAt, long EndsAt, long LookTicks)
    {
        public bool Holds(long now) => now >= LookedAt && now - LookedAt < LookTicks && now < EndsAt;
    }
}
