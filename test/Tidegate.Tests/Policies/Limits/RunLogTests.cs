using Tidegate.Policies.Limits;
using Xunit;

namespace Tidegate.Tests.Policies.Limits;

public sealed class RunLogTests
{
    [Theory]
    [InlineData(100, 0.8)]
    [InlineData(1_000, 0.9)]
    [InlineData(10_000, 0.9)]
    public void An_even_load_below_the_rate_is_hardly_ever_refused(int amount, double load)
    {
        const long Period = 1_000_000_000;
        var window = new SlidingWindow(amount, Period);
        var cell = default(LimitCell);
        var (asked, refused) = (0, 0);
        for (var now = Period; now < 20 * Period; now += (long)(Period / (amount * load)))
        {
            asked++;
            refused += window.Take(ref cell, 1, now) == 0 ? 0 : 1;
        }

        Assert.InRange(refused, 0, asked / 300);
    }

    [Fact]
    public void An_even_flow_is_remembered_nearly_as_it_was()
    {
        const int Takings = 1_200;
        var log = RunLog.Start(RunLog.UnitFor(Takings));
        for (var i = 0; i < Takings; i++)
        {
            log = log.Add(i, 1, i + 1);
        }

        // A run counts from its latest time: the first must not reach far, nor any other.
        var widest = log.TimeAt(0);
        var sum = log.CountAt(0);
        for (var i = 1; i < log.Count; i++)
        {
            widest = Math.Max(widest, log.TimeAt(i) - log.TimeAt(i - 1));
            sum += log.CountAt(i);
        }

        Assert.Equal(Takings, sum);
        Assert.Equal(RunLog.MaxRuns, log.Count);
        Assert.InRange(widest, 1, Takings / 4);
    }

    [Fact]
    public void Counts_that_sixteen_bits_do_not_hold_are_counted_all_the_same()
    {
        const long Second = 1_000_000_000;
        var window = new SlidingWindow(1L << 50, Second);
        var cell = default(LimitCell);
        for (var i = 0L; i < 100; i++)
        {
            Assert.Equal(0, window.Take(ref cell, (i % 3) switch { 0 => 1, 1 => 60_000, _ => 1L << 42 }, Second + (i * Second / 200)));
        }

        Assert.Equal(34 + (33 * 60_000L) + (33L << 42), window.Used(ref cell, Second + (Second / 2)));
        Assert.Equal(0, window.Used(ref cell, 3 * Second));
    }

    [Fact]
    public void A_limit_that_gets_another_period_goes_on_with_what_was_counted()
    {
        const long Second = 1_000_000_000;
        var (second, day) = (new SlidingWindow(100, Second), new SlidingWindow(100, 86_400 * Second));
        var cell = default(LimitCell);
        for (var i = 0L; i < 50; i++)
        {
            Assert.Equal(0, day.Take(ref cell, 1, i * 1_000 * Second));
        }

        // The last second has one of them.
        Assert.Equal(1, second.Used(ref cell, 49_000 * Second));
        Assert.Equal(0, second.Take(ref cell, 5, (49_000 * Second) + (Second / 2)));
        Assert.Equal(6, day.Used(ref cell, 49_001 * Second));
        Assert.Equal(0, day.Used(ref cell, 140_000 * Second));
    }

    [Fact]
    public void Room_comes_no_earlier_than_it_should_and_no_more_than_a_30_000th_of_the_period_later()
    {
        var random = new Random(9);
        foreach (var period in (long[])[1, 7, 1_000_000_000, 60_000_000_000, 86_400_000_000_000, 183L * 86_400_000_000_000])
        {
            var window = new SlidingWindow(RunLog.MaxRuns, period);
            var cell = default(LimitCell);
            var taken = new Queue<long>();
            for (var (i, now) = (0, period); i < 1_000; i++)
            {
                now += random.NextInt64(1 + (period / 10));
                var wait = window.Take(ref cell, 1, now);
                if (wait > 0)
                {
                    Assert.InRange(now + wait, taken.Peek() + period, taken.Peek() + period + (period / 30_000) + 1);
                    now += wait;
                    Assert.Equal(0, window.Take(ref cell, 1, now));
                }

                while (taken.TryPeek(out var oldest) && oldest <= now - period)
                {
                    taken.Dequeue();
                }

                taken.Enqueue(now);
                Assert.InRange(taken.Count, 1, RunLog.MaxRuns);
            }
        }
    }
}
