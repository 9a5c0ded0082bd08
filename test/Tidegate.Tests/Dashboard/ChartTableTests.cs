using Tidegate.Dashboard.Charts;
using Tidegate.Dashboard.Views;
using Xunit;

namespace Tidegate.Tests.Dashboard;

/// <summary>Charts as tables.</summary>
public sealed class ChartTableTests
{
    private static readonly double Noon = Timeline.Milliseconds(new DateTimeOffset(2026, 1, 2, 12, 0, 0, TimeSpan.Zero));

    [Fact]
    public void Lines_are_read_from_the_newest_on_without_the_times_at_which_nothing_was()
    {
        var table = ChartTable.Of(
            new ChartSpec
            {
                Kind = "bars",
                Unit = "rate",
                Step = 60_000,
                Series = [new("good", "good", [[Noon, 2], [Noon + 60_000, 0], [Noon + 120_000, 4]]), new("errors", "bad", [[Noon, 0], [Noon + 60_000, 0], [Noon + 120_000, null]])],
            },
            new Viewer());

        Assert.Equal(["Time", "good", "errors"], table.Columns);
        Assert.Equal(["2 Jan 12:02 4/s –", "2 Jan 12:00 2/s 0/s"], table.Rows.Select(row => string.Join(' ', row)));
    }

    [Fact]
    public void Flows_are_read_from_the_largest_on()
    {
        var table = ChartTable.Of(
            new ChartSpec
            {
                Kind = "sankey",
                Nodes = [new("0 a", "a", 0, "0", ""), new("1 b", "b", 1, "0", ""), new("1 c", "c", 1, "0", "")],
                Links = [new("0 a", "1 b", 1, "0"), new("0 a", "1 c", 20_000, "0")],
            },
            new Viewer());

        Assert.Equal(["a c 20 k", "a b 1"], table.Rows.Select(row => string.Join(' ', row)));
    }
}
