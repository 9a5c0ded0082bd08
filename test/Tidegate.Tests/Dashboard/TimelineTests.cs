using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Rollups;
using Tidegate.Dashboard.Charts;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.Tests.Dashboard;

/// <summary>How sums become the points of a chart.</summary>
public sealed class TimelineTests
{
    [Theory]
    [InlineData(6, 3)]
    [InlineData(24, 7)]
    public void Steady_traffic_is_a_flat_line_from_the_first_bar(int hours, int minutesPastTheStep)
    {
        var to = new DateTimeOffset(2026, 11, 26, 10, 0, 20, TimeSpan.Zero).AddMinutes(minutesPastTheStep);
        var query = new SeriesQuery { From = to.AddHours(-hours), To = to, Step = SeriesQuery.StepFor(to.AddHours(-hours), to, to) };

        // 60 calls in each minute that is read, and 20 in the one that has come to a third.
        var steps = new Dictionary<long, SeriesPoint>();
        for (var minute = query.ReadFrom; minute < query.To; minute = minute.AddMinutes(1))
        {
            var cell = new RollupCell();
            for (var i = 0; i < (query.To - minute < TimeSpan.FromMinutes(1) ? 20 : 60); i++)
            {
                cell.Add(TestRecords.Ingress);
            }

            var begin = minute.UtcTicks - (minute.UtcTicks % query.Step.Ticks);
            steps[begin] = steps.GetValueOrDefault(begin) ?? new SeriesPoint(new DateTimeOffset(begin, TimeSpan.Zero));
            steps[begin].Add(cell, default);
        }

        Assert.All(new Timeline(query).Rate(steps.Values, point => point.Cell.Count), point => Assert.Equal(1, point[1]!.Value, 3));
    }
}
