using Tidegate.Policies.Limits;
using Xunit;

namespace Tidegate.Tests.Policies.Limits;

public sealed class RunLogTests
{
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
