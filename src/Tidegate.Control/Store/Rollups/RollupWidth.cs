namespace Tidegate.Control.Store.Rollups;

/// <summary>How long the spans are that sums are kept of. Each is a whole number of the one before it: a view reads of the widest that its points are made of, and of narrower ones at its ends.</summary>
/// <param name="Table">Of PostgreSQL; and of SQLite until cells were kept as one value each.</param>
/// <param name="Cells">The table of SQLite.</param>
/// <param name="Ticks">A span's length.</param>
/// <param name="Age">How long they are kept.</param>
internal sealed record RollupWidth(string Table, string Cells, long Ticks, TimeSpan Age)
{
    public static readonly RollupWidth Minute = new("minutes", "minute_cells", TimeSpan.TicksPerMinute, StoreSettings.MinutesAge);
    public static readonly RollupWidth QuarterHour = new("quarter_hours", "quarter_hour_cells", 15 * TimeSpan.TicksPerMinute, StoreSettings.MinutesAge);
    public static readonly RollupWidth Hour = new("hours", "hour_cells", TimeSpan.TicksPerHour, StoreSettings.HoursAge);
    public static readonly RollupWidth QuarterDay = new("quarter_days", "quarter_day_cells", 6 * TimeSpan.TicksPerHour, StoreSettings.HoursAge);

    /// <summary>The narrowest first.</summary>
    public static readonly IReadOnlyList<RollupWidth> All = [Minute, QuarterHour, Hour, QuarterDay];

    /// <summary>What a view from one time to another in such steps is made of: the tables, and from when to when of each, in order.</summary>
    public static IEnumerable<(RollupWidth Width, long From, long To)> Of(long from, long to, long step, bool isHourly)
    {
        // From an hour up in whole hours, because minutes are not kept that long.
        var (narrow, wide) = isHourly ? (Hour, QuarterDay) : (Minute, QuarterHour);
        from -= from % narrow.Ticks;
        to += (narrow.Ticks - (to % narrow.Ticks)) % narrow.Ticks;
        var (begin, end) = (from + ((wide.Ticks - (from % wide.Ticks)) % wide.Ticks), to - (to % wide.Ticks));
        if (step % wide.Ticks != 0 || begin >= end)
        {
            return [(narrow, from, to)];
        }

        return [(narrow, from, begin), (wide, begin, end), (narrow, end, to)];
    }
}
