using Tidegate.Host.Demo;
using Tidegate.Host.Demo.Callers;
using Xunit;

namespace Tidegate.Tests.Demo;

/// <summary>The demo's morning: the same for everybody, bounded, and with a shape.</summary>
public sealed class CallPlanTests
{
    private static readonly CallPlan Plan = new(1, CallPlan.Everybody);

    [Fact]
    public void The_same_seed_gives_the_same_morning_and_another_day_another_one()
    {
        Assert.Equal(Morning(Plan, 1), Morning(new CallPlan(1, CallPlan.Everybody), 1));
        Assert.NotEqual(Morning(Plan, 1), Morning(Plan, 2));
        Assert.NotEqual(Morning(Plan, 1), Morning(new CallPlan(2, CallPlan.Everybody), 1));
    }

    [Fact]
    public void Every_second_is_in_order_and_bounded_and_every_ten_seconds_see_traffic()
    {
        for (var second = 0; second < MorningClock.SecondsPerMorning; second++)
        {
            var calls = Plan.Second(1, second);
            Assert.True(calls.Count <= CallPlan.MaxCallsPerSecond);
            Assert.Equal(calls.Select(call => call.At).Order(), calls.Select(call => call.At));
        }

        Assert.All(Enumerable.Range(0, 30), ten => Assert.InRange(Enumerable.Range(ten * 10, 10).Sum(second => Plan.Second(1, second).Count), 110, 520));
    }

    [Fact]
    public void The_campaign_is_busier_than_the_quiet_before_eight_and_the_lull_at_eleven()
    {
        var (early, campaign, lull) = (Mean("07:40"), Mean("09:32"), Mean("11:05"));

        Assert.True(campaign > 1.5 * early && campaign > 1.5 * lull, $"{early:0} before eight, {campaign:0} in the campaign, {lull:0} in the lull");
    }

    [Fact]
    public void Every_way_to_the_gateway_is_taken_by_callers_of_several_tenants()
    {
        var calls = Morning(Plan, 1).Select(entry => entry.Call).ToList();

        Assert.Equal(Enum.GetValues<CallRoute>().Order(), calls.Select(call => call.Route).Distinct().Order());
        Assert.Superset(DemoKeys.Consumers.Except(["orders"]).ToHashSet(), calls.Select(call => call.Caller).ToHashSet());
    }

    private static List<(double At, DemoCall Call)> Morning(CallPlan plan, int day) =>
        [.. Enumerable.Range(0, MorningClock.SecondsPerMorning).SelectMany(second => plan.Second(day, second).Select(call => (second + call.At, call.Call)))];

    private static double Mean(string from)
    {
        var second = (int)(TimeOnly.Parse(from, System.Globalization.CultureInfo.InvariantCulture) - MorningClock.Begin).TotalMinutes;
        return Enumerable.Range(second, 8).Average(at => Plan.Second(1, at).Count);
    }
}
