using Microsoft.Extensions.Time.Testing;
using Tidegate.Policies.Hedge;
using Xunit;

namespace Tidegate.Tests.Policies.Hedge;

public sealed class LatencySketchTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly LatencySketch _sketch;

    public LatencySketchTests() => _sketch = new LatencySketch(_time);

    [Theory]
    [InlineData(0.5, 500)]
    [InlineData(0.95, 950)]
    [InlineData(0.99, 990)]
    [InlineData(0.5, 300_000, 600)]
    [InlineData(0.95, 570_000, 600)]
    public void A_quantile_is_right_to_some_percent_and_not_below(double share, double milliseconds, int step = 1)
    {
        for (var i = 1; i <= 1_000; i++)
        {
            _sketch.Observe(TimeSpan.FromMilliseconds(i * step));
        }

        Assert.InRange(_sketch.Quantile(share)!.Value.TotalMilliseconds, milliseconds, milliseconds * 1.07);
    }

    [Theory]
    [InlineData(0.95, 19, false)]
    [InlineData(0.95, 20, true)]
    [InlineData(0.99, 99, false)]
    [InlineData(0.99, 100, true)]
    [InlineData(0.999, 999, false)]
    public void Nothing_is_known_before_there_is_a_tail(double share, int count, bool isKnown)
    {
        for (var i = 0; i < count; i++)
        {
            _sketch.Observe(TimeSpan.FromMilliseconds(10));
        }

        Assert.Equal(isKnown, _sketch.Quantile(share) is not null);
    }

    [Fact]
    public void What_is_older_than_two_minutes_is_forgotten()
    {
        Fill(10);
        _time.Advance(TimeSpan.FromSeconds(61));
        Fill(1_000);
        Assert.InRange(_sketch.Quantile(0.5)!.Value.TotalMilliseconds, 10, 11);

        _time.Advance(TimeSpan.FromSeconds(61));
        Fill(1_000);
        Assert.InRange(_sketch.Quantile(0.5)!.Value.TotalMilliseconds, 1_000, 1_070);

        _time.Advance(TimeSpan.FromMinutes(3));
        Assert.Null(_sketch.Quantile(0.5));
    }

    [Fact]
    public void Times_below_the_lowest_are_counted_there_and_beyond_the_longest_nothing_is_known()
    {
        for (var i = 0; i < 20; i++)
        {
            _sketch.Observe(TimeSpan.Zero);
        }

        Assert.InRange(_sketch.Quantile(0.95)!.Value.TotalMilliseconds, 0, 0.2);
        for (var i = 0; i < 500; i++)
        {
            _sketch.Observe(TimeSpan.FromHours(1));
        }

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(_sketch.Quantile(0.95));
    }

    private void Fill(int milliseconds)
    {
        for (var i = 0; i < 100; i++)
        {
            _sketch.Observe(TimeSpan.FromMilliseconds(milliseconds));
        }
    }
}
