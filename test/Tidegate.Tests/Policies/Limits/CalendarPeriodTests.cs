using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Policies.Limits;
using Xunit;

namespace Tidegate.Tests.Policies.Limits;

public sealed class CalendarPeriodTests
{
    [Theory]
    [InlineData("Minute", "UTC", 1, "2026-11-25T10:20:30Z", "2026-11-25T10:20:00Z", "2026-11-25T10:21:00Z")]
    [InlineData("Hour", "UTC", 1, "2026-11-25T10:20:30Z", "2026-11-25T10:00:00Z", "2026-11-25T11:00:00Z")]
    [InlineData("Hour", "Asia/Kolkata", 1, "2026-11-25T10:20:30Z", "2026-11-25T09:30:00Z", "2026-11-25T10:30:00Z")]
    [InlineData("Day", "UTC", 1, "2026-11-25T00:00:00Z", "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z")]
    [InlineData("Day", "America/New_York", 1, "2026-11-25T03:00:00Z", "2026-11-24T05:00:00Z", "2026-11-25T05:00:00Z")]
    [InlineData("Week", "UTC", 1, "2026-11-25T10:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z")]
    [InlineData("Week", "UTC", 1, "2026-11-29T23:59:59Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z")]
    [InlineData("Month", "UTC", 1, "2026-11-25T10:00:00Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")]
    [InlineData("Month", "UTC", 15, "2026-11-14T23:59:59Z", "2026-10-15T00:00:00Z", "2026-11-15T00:00:00Z")]
    [InlineData("Month", "UTC", 15, "2026-11-15T00:00:00Z", "2026-11-15T00:00:00Z", "2026-12-15T00:00:00Z")]
    [InlineData("Month", "UTC", 31, "2027-02-28T00:00:00Z", "2027-02-28T00:00:00Z", "2027-03-31T00:00:00Z")]
    [InlineData("Month", "UTC", 31, "2027-02-27T23:00:00Z", "2027-01-31T00:00:00Z", "2027-02-28T00:00:00Z")]
    [InlineData("Month", "UTC", 31, "2028-02-29T01:00:00Z", "2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z")]
    public void A_time_is_in_the_period_that_a_calendar_shows(string unit, string zone, int resetDay, string time, string start, string end)
    {
        var period = new CalendarPeriod(Enum.Parse<CalendarUnit>(unit), TimeZoneInfo.FindSystemTimeZoneById(zone), resetDay);

        Assert.Equal((At(start), At(end)), period.Of(At(time)));
    }

    [Theory]
    // Clocks go forward in Berlin on 2026-03-29 at 01:00 UTC and back on 2026-10-25: days of 23 and 25 hours.
    [InlineData("Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z")]
    [InlineData("Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")]
    // In Santiago midnight itself is skipped on 2026-09-06: the day begins at 01:00, which is 04:00 UTC.
    [InlineData("America/Santiago", "2026-09-06T12:00:00Z", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z")]
    // In Havana midnight comes twice on 2026-11-01: the day begins at the first.
    [InlineData("America/Havana", "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z")]
    public void A_day_on_which_the_clock_changes_is_still_one_day(string zone, string time, string start, string end)
    {
        var period = new CalendarPeriod(CalendarUnit.Day, TimeZoneInfo.FindSystemTimeZoneById(zone));

        Assert.Equal((At(start), At(end)), period.Of(At(time)));
    }

    [Theory]
    [InlineData("Minute")]
    [InlineData("Hour")]
    [InlineData("Day")]
    [InlineData("Week")]
    [InlineData("Month")]
    public void Periods_follow_one_another_without_gap_or_overlap_in_every_zone(string unit)
    {
        var random = new Random(7);
        string[] zones = ["UTC", "Europe/Berlin", "America/Santiago", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"];
        foreach (var zone in zones)
        {
            var period = new CalendarPeriod(Enum.Parse<CalendarUnit>(unit), TimeZoneInfo.FindSystemTimeZoneById(zone), random.Next(1, 32));
            var (start, end) = period.Of(At("2026-01-01T00:00:00Z").AddMinutes(random.Next(500_000)));
            for (var i = 0; i < 400; i++)
            {
                Assert.True(end > start, $"{zone}: {start:u} to {end:u}");
                Assert.Equal((start, end), period.Of(start));
                Assert.Equal((start, end), period.Of(end.AddTicks(-1)));
                var next = period.Of(end);
                Assert.True(next.Start == end, $"{zone}: {start:u} to {end:u}, then {next.Start:u}");
                (start, end) = next;
            }
        }
    }

    [Fact]
    public void A_quota_begins_anew_with_its_period_and_is_not_given_twice_when_the_clock_goes_back()
    {
        var time = new FakeTimeProvider(At("2026-11-25T23:59:58Z"));
        var window = new CalendarWindow(2, new CalendarPeriod(CalendarUnit.Day, TimeZoneInfo.Utc), time);
        var cell = default(LimitCell);

        Assert.Equal(0, window.Take(ref cell, 1, time.GetTimestamp()));
        Assert.Equal(0, window.Take(ref cell, 1, time.GetTimestamp()));
        Assert.Equal(2 * time.TimestampFrequency, window.Take(ref cell, 1, time.GetTimestamp()));

        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(0, window.Take(ref cell, 2, time.GetTimestamp()));

        time.AdjustTime(At("2026-11-25T23:59:59Z"));
        Assert.NotEqual(0, window.Take(ref cell, 1, time.GetTimestamp()));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void A_quota_never_lets_more_than_its_amount_pass_within_a_period_of_the_calendar_and_the_wait_that_it_tells_is_enough(int seed)
    {
        var random = new Random(seed);
        var time = new FakeTimeProvider(At("2026-03-28T22:11:07.123Z"));
        var amount = random.Next(1, 60);

        // Over the night in which the clock changes.
        var calendar = new CalendarPeriod((CalendarUnit)random.Next(3), TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin"));
        var window = new CalendarWindow(amount, calendar, time);
        var cell = default(LimitCell);
        var taken = new Dictionary<DateTimeOffset, long>();
        for (var i = 0; i < 3_000; i++)
        {
            time.Advance(TimeSpan.FromTicks(random.NextInt64(random.Next(3) == 0 ? TimeSpan.TicksPerMinute : TimeSpan.TicksPerSecond / 20)));
            var cost = random.Next(1, 4);
            var wait = window.Take(ref cell, cost, time.GetTimestamp());
            if (wait == LimitAlgorithm.Never)
            {
                continue;
            }

            if (wait > 0)
            {
                time.Advance(TimeSpan.FromTicks(wait * TimeSpan.TicksPerSecond / time.TimestampFrequency));
                Assert.Equal(0, window.Take(ref cell, cost, time.GetTimestamp()));
            }

            var period = calendar.Of(time.GetUtcNow()).Start;
            taken[period] = taken.GetValueOrDefault(period) + cost;
        }

        Assert.All(taken.Values, sum => Assert.InRange(sum, 1, amount));
    }

    private static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
