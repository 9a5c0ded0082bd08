using CsCheck;
using Tidegate.Control.Live;
using Xunit;

namespace Tidegate.Tests.Control;

public sealed class LatencyDistributionTests
{
    [Fact]
    public void Every_quantile_is_within_seven_percent_of_the_truth() =>
        Gen.Select(Gen.Double[0, 9].Select(exponent => (long)Math.Pow(10, exponent)).Array[1, 300], Gen.Double[0.01, 1]).Sample((microseconds, share) =>
        {
            var distribution = new LatencyDistribution();
            foreach (var value in microseconds)
            {
                distribution.Add(TimeSpan.FromMicroseconds(value));
            }

            var exact = microseconds.Order().ElementAt((int)Math.Ceiling(share * microseconds.Length) - 1);
            Assert.InRange(distribution.Quantile(share).TotalMicroseconds, exact * 0.93, exact * 1.07);
        });

    [Fact]
    public void Parts_add_up_to_the_whole()
    {
        var whole = new LatencyDistribution();
        var parts = new[] { new LatencyDistribution(), new LatencyDistribution() };
        for (var i = 1; i <= 1_000; i++)
        {
            whole.Add(TimeSpan.FromMilliseconds(i));
            parts[i % 2].Add(TimeSpan.FromMilliseconds(i));
        }

        var sum = new LatencyDistribution();
        sum.Add(parts[0]);
        sum.Add(parts[1]);

        Assert.Equal(
            (whole.Count, whole.Longest, whole.Quantile(0.5), whole.Quantile(0.99)),
            (sum.Count, sum.Longest, sum.Quantile(0.5), sum.Quantile(0.99)));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(1e9)]
    public void Durations_out_of_all_bounds_are_counted_too(double seconds)
    {
        var distribution = new LatencyDistribution();
        distribution.Add(TimeSpan.FromSeconds(seconds));

        Assert.Equal(1, distribution.Count);
        Assert.InRange(distribution.Quantile(1), TimeSpan.Zero, TimeSpan.FromSeconds(Math.Max(0, seconds)));
    }

    [Fact]
    public void Without_durations_every_quantile_is_zero() => Assert.Equal(TimeSpan.Zero, new LatencyDistribution().Quantile(0.5));
}
