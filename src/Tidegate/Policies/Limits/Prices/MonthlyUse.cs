namespace Tidegate.Policies.Limits.Prices;

/// <summary>How much of something was used since the month began, in UTC. Kept as a limit's count is, over reloads and restarts.</summary>
internal sealed class MonthlyUse
{
    /// <summary>Where a tier of what is used in parts ends at the latest: what is counted reaches a little further.</summary>
    public const long MaxUnits = 1_000_000_000_000;

    // Never refuses, and where counting ends: more would not fit into it twice.
    private const long Everything = 1L << 60;

    // An answer can say that 0.3 credits were used.
    private const long PartsOfUnit = 1_000_000;

    private readonly Lock _gate = new();
    private readonly LimitStore _store;
    private readonly Limit _count;
    private readonly long _parts;

    private MonthlyUse(LimitStore store, string scope, string name, long parts)
    {
        _store = store;
        _parts = parts;
        var settings = new LimitSettings { Name = name, Kind = LimitKind.Quota, Amount = Everything, Calendar = new CalendarPeriod(CalendarUnit.Month, TimeZoneInfo.Utc), Unit = LimitUnit.Points, Text = "" };
        _count = new Limit(settings, scope, store.Secret, store.Time);
    }

    /// <summary>Of requests or bytes: there are no parts of them.</summary>
    /// <param name="store">Where counts are.</param>
    /// <param name="scope">The API, and the endpoint where the price is written for one.</param>
    /// <param name="name">What is used.</param>
    public static MonthlyUse OfWhole(LimitStore store, string scope, string name) => new(store, scope, "cost " + name, 1);

    /// <summary>Of what answers name as they like. What it is called says in what it is counted: saved counts of another meaning are others' counts.</summary>
    /// <param name="store">Where counts are.</param>
    /// <param name="scope">The API, and the endpoint where the price is written for one.</param>
    /// <param name="name">The unit's name.</param>
    /// <param name="isOldOfOthers">What an earlier version counted under that name is not the unit's alone.</param>
    public static MonthlyUse OfUnits(LimitStore store, string scope, string name, bool isOldOfOthers = false)
    {
        var use = new MonthlyUse(store, scope, "cost unit in millionths " + name, PartsOfUnit);
        if (!isOldOfOthers)
        {
            use.GoOn(OfWhole(store, scope, name));
        }

        return use;
    }

    /// <summary>Uses so much.</summary>
    /// <returns>What was used before.</returns>
    public decimal Add(decimal units)
    {
        var parts = (long)Math.Min(Everything, Math.Ceiling(units * _parts));
        lock (_gate)
        {
            // Charged before it is read: only then what an earlier process has counted is there.
            var now = _store.Time.GetTimestamp();
            _store.Cells.Charge(_count.Algorithm, _count.OnlyKey, parts, now);
            var used = _store.Cells.Used(_count.Algorithm, _count.OnlyKey, now);
            if (used > Everything)
            {
                _store.Cells.Charge(_count.Algorithm, _count.OnlyKey, Everything - used, now);
            }

            return Math.Max(0, used - parts) / (decimal)_parts;
        }
    }

    /// <summary>Counts what an earlier version has counted of it this month, in whole units. Once: as long as nothing is counted here. The old count stays: the configuration may never come in force.</summary>
    private void GoOn(MonthlyUse old)
    {
        if (Add(0) == 0)
        {
            Add(old.Add(0));
        }
    }
}
