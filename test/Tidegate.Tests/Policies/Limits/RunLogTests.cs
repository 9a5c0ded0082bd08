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
        var log = new RunLog();
        for (var i = 0; i < Takings; i++)
        {
            log.Add(i, 1);
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
}
