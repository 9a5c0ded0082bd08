using Microsoft.Extensions.Time.Testing;
using Tidegate.Recording;
using Xunit;

namespace Tidegate.Tests.Recording;

public sealed class WallClockTests
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 26, 10, 0, 0, TimeSpan.Zero));

    [Fact]
    public void A_timestamp_is_told_in_utc_whether_the_clock_was_read_just_now_or_long_ago()
    {
        var clock = new WallClock(_time);
        foreach (var step in (int[])[0, 1, 700, 900, 60_000, 5])
        {
            _time.Advance(TimeSpan.FromMilliseconds(step));
            Assert.Equal(_time.GetUtcNow(), clock.At(_time.GetTimestamp()));
            Assert.Equal(_time.GetUtcNow() - TimeSpan.FromMilliseconds(30), clock.At(_time.GetTimestamp() - (_time.TimestampFrequency * 3 / 100)));
        }
    }

    [Fact]
    public void A_clock_that_was_set_is_believed_from_the_next_reading_on()
    {
        var time = new SettableTime();
        var clock = new WallClock(time);
        time.Utc += TimeSpan.FromHours(1);
        time.Timestamp += TimeSpan.TicksPerSecond / 2;
        Assert.Equal(time.Utc - TimeSpan.FromHours(1) + TimeSpan.FromSeconds(0.5), clock.At(time.Timestamp));
        clock.Refresh();
        Assert.Equal(time.Utc, clock.At(time.Timestamp));
    }

    private sealed class SettableTime : TimeProvider
    {
        public DateTimeOffset Utc { get; set; } = new(2026, 11, 26, 10, 0, 0, TimeSpan.Zero);

        public long Timestamp { get; set; } = 1_000_000_000;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override DateTimeOffset GetUtcNow() => Utc;

        public override long GetTimestamp() => Timestamp;
    }
}
