using Tidegate.Policies.Limits;

namespace Tidegate.Configuration;

/// <summary>Compiles how much a limit, or an override of one, lets pass.</summary>
internal sealed class LimitAmounts(ConfigPositions positions, List<ConfigProblem> problems)
{
    /// <summary>What is written; null when it is not exactly one.</summary>
    public static LimitKind? KindOf(string? rate, string? quota, int? concurrency) => (rate, quota, concurrency) switch
    {
        (not null, null, null) => LimitKind.Rate,
        (null, not null, null) => LimitKind.Quota,
        (null, null, not null) => LimitKind.Concurrency,
        _ => null,
    };

    /// <summary>A limit's own amount; it has exactly one.</summary>
    /// <returns>Null when it is none, and that was said.</returns>
    public LimitSettings? Compile(LimitConfig config) =>
        config.Rate is { } rate ? Rate(config, rate, config.Burst)
        : config.Quota is { } quota ? Quota(config, quota, config)
        : InFlight(config.Concurrency!.Value);

    /// <summary>An override's amount; it has exactly one.</summary>
    /// <returns>Null when it is none, and that was said.</returns>
    public LimitSettings? Compile(LimitOverrideConfig config, LimitConfig limit) =>
        config.Rate is { } rate ? Rate(config, rate, config.Burst ?? limit.Burst)
        : config.Quota is { } quota ? Quota(config, quota, limit)
        : InFlight(config.Concurrency!.Value);

    private static LimitSettings InFlight(int concurrency) => new() { Name = "", Kind = LimitKind.Concurrency, Amount = concurrency, Text = $"{concurrency} in flight" };

    private LimitSettings? Rate(object record, string text, int? burst)
    {
        if (!RateText.TryParse(text, out var rate) || rate.Period is not { } period)
        {
            Problem(record, "rate", $"'{text}' is no rate; write how much and how long, for example 100/s, 60/10s, 5000/h, 10MB/s or 2000 points/m");
            return null;
        }

        return new LimitSettings
        {
            Name = "",
            Kind = burst is null ? LimitKind.Rate : LimitKind.TokenBucket,
            Amount = rate.Amount,
            Period = period,
            Burst = burst ?? 0,
            Unit = rate.Unit,
            Text = text,
        };
    }

    private LimitSettings? Quota(object record, string text, LimitConfig calendar)
    {
        if (!RateText.TryParse(text, out var quota) || quota.Calendar is not { } unit)
        {
            Problem(record, "quota", $"'{text}' is no quota; write how much and one of minute, hour, day, week and month, for example 10000/month");
            return null;
        }

        var zone = TimeZoneInfo.Utc;
        if (calendar.TimeZone is { } name && !TimeZoneInfo.TryFindSystemTimeZoneById(name, out zone))
        {
            zone = TimeZoneInfo.Utc;
            if (ReferenceEquals(record, calendar))
            {
                Problem(record, "time_zone", $"there is no time zone '{name}' on this machine; write one as in Europe/Berlin");
            }
        }

        if (calendar.ResetDay is > 31 && ReferenceEquals(record, calendar))
        {
            Problem(record, "reset_day", $"a month has no day {calendar.ResetDay}; write 1 to 31");
        }

        return new LimitSettings { Name = "", Kind = LimitKind.Quota, Amount = quota.Amount, Calendar = new CalendarPeriod(unit, zone!, calendar.ResetDay ?? 1), Unit = quota.Unit, Text = text };
    }

    private void Problem(object record, string key, string message) => problems.Add(new ConfigProblem(positions.Of(record, key), ConfigSeverity.Error, message));
}
