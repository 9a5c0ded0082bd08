namespace Tidegate.Policies.Limits;

/// <summary>Periods as a calendar on a wall has them: a minute, an hour, a day, a week from Monday, a month from a day of it; in a time zone, across its changes of the clock.</summary>
/// <param name="Unit">How long.</param>
/// <param name="Zone">Whose midnight counts.</param>
/// <param name="ResetDay">1 to 31: the day on which a month begins; in a shorter month its last day.</param>
internal sealed record CalendarPeriod(CalendarUnit Unit, TimeZoneInfo Zone, int ResetDay = 1)
{
    /// <summary>The period that a time is in: its start, inclusive, and its end, exclusive, in UTC.</summary>
    public (DateTimeOffset Start, DateTimeOffset End) Of(DateTimeOffset time)
    {
        if (Unit is CalendarUnit.Minute or CalendarUnit.Hour)
        {
            return OfClock(time);
        }

        var today = DateOnly.FromDateTime(TimeZoneInfo.ConvertTime(time, Zone).DateTime);
        var first = Unit switch
        {
            CalendarUnit.Day => today,
            CalendarUnit.Week => today.AddDays(-(((int)today.DayOfWeek + 6) % 7)),
            _ => today.Day >= ResetIn(today.Year, today.Month) ? ResetDate(today.Year, today.Month) : ResetBefore(today),
        };
        var next = Unit switch
        {
            CalendarUnit.Day => first.AddDays(1),
            CalendarUnit.Week => first.AddDays(7),
            _ => ResetAfter(first),
        };
        return (Midnight(first), Midnight(next));
    }

    /// <summary>Minutes and hours are as long as ever when the clock changes: they are counted from the offset that holds now.</summary>
    private (DateTimeOffset Start, DateTimeOffset End) OfClock(DateTimeOffset time)
    {
        var length = Unit == CalendarUnit.Minute ? TimeSpan.TicksPerMinute : TimeSpan.TicksPerHour;
        var offset = Zone.GetUtcOffset(time).Ticks % length;
        var ticks = time.UtcTicks + offset;
        var start = new DateTimeOffset(ticks - (ticks % length) - offset, TimeSpan.Zero);
        return (start, start.AddTicks(length));
    }

    private int ResetIn(int year, int month) => Math.Min(ResetDay, DateTime.DaysInMonth(year, month));

    private DateOnly ResetDate(int year, int month) => new(year, month, ResetIn(year, month));

    private DateOnly ResetBefore(DateOnly date)
    {
        var month = new DateOnly(date.Year, date.Month, 1).AddMonths(-1);
        return ResetDate(month.Year, month.Month);
    }

    private DateOnly ResetAfter(DateOnly date)
    {
        var month = new DateOnly(date.Year, date.Month, 1).AddMonths(1);
        return ResetDate(month.Year, month.Month);
    }

    /// <summary>The instant at which a day begins. Where the clock skips midnight, that is the first instant after the gap; where it comes twice, the first of the two.</summary>
    private DateTimeOffset Midnight(DateOnly date)
    {
        var local = date.ToDateTime(TimeOnly.MinValue);
        if (Zone.IsInvalidTime(local))
        {
            // The offset before the gap turns a time inside it into the instant at which the gap opens, plus how far inside it lies: the skipped midnight is where it opens.
            return new DateTimeOffset(local, Zone.GetUtcOffset(local.AddHours(-3))).ToUniversalTime();
        }

        var offset = Zone.IsAmbiguousTime(local) ? Zone.GetAmbiguousTimeOffsets(local).Max() : Zone.GetUtcOffset(local);
        return new DateTimeOffset(local, offset).ToUniversalTime();
    }
}

/// <summary>How long a period of the calendar is.</summary>
internal enum CalendarUnit
{
    Minute,
    Hour,
    Day,
    Week,
    Month,
}
