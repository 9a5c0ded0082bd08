namespace Tidegate.Policies.Limits.Prices;

/// <summary>How much of something was used since the month began, in UTC. Kept as a limit's count is, over reloads and restarts.</summary>
internal sealed class MonthlyUse
{
    // Never refuses.
    private const long Everything = 1L << 60;

    private readonly Lock _gate = new();
    private readonly LimitStore _store;
    private readonly Limit _count;

    /// <param name="store">Where counts are.</param>
    /// <param name="scope">The API, and the endpoint where the price is written for one.</param>
    /// <param name="name">What is used.</param>
    public MonthlyUse(LimitStore store, string scope, string name)
    {
        _store = store;
        var settings = new LimitSettings { Name = "cost " + name, Kind = LimitKind.Quota, Amount = Everything, Calendar = new CalendarPeriod(CalendarUnit.Month, TimeZoneInfo.Utc), Unit = LimitUnit.Points, Text = "" };
        _count = new Limit(settings, scope, store.Secret, store.Time);
    }

    /// <summary>Uses so much.</summary>
    /// <returns>What was used before.</returns>
    public long Add(long units)
    {
        lock (_gate)
        {
            var now = _store.Time.GetTimestamp();
            var used = _store.Cells.Used(_count.Algorithm, _count.OnlyKey, now);
            _store.Cells.Charge(_count.Algorithm, _count.OnlyKey, units, now);
            return used;
        }
    }
}
