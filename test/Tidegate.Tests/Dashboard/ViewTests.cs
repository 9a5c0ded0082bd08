using Tidegate.Dashboard.Data;
using Tidegate.Dashboard.Views;
using Xunit;

namespace Tidegate.Tests.Dashboard;

/// <summary>What the dashboard's URLs say, and how its numbers are written.</summary>
public sealed class ViewTests
{
    [Fact]
    public void A_link_keeps_time_and_zone_and_drops_the_filters_of_the_page_before()
    {
        var view = View.Of("http://localhost:9900/exchanges?last=6h&zone=utc&live=off&api=stripe&after=1-2");

        Assert.Equal("/egress?last=6h&live=off&zone=utc", view.Link("/egress"));
        Assert.Equal("/exchanges?api=stripe&last=6h&live=off&status=5xx&zone=utc", view.With(("after", null), ("status", "5xx")));
        Assert.Equal("/egress/a%2Fb?last=6h&live=off&zone=utc", view.LinkToApi("egress", "a/b"));
        Assert.True(view.IsUtc && view.IsPaused);
    }

    [Fact]
    public void A_time_that_somebody_writes_is_where_their_clock_is()
    {
        var viewer = new Viewer();
        viewer.SetZone("Nowhere/Atlantis 330");
        var noon = new DateTimeOffset(2026, 1, 2, 12, 0, 0, TimeSpan.Zero);

        Assert.Equal((new DateTime(2026, 1, 2, 17, 30, 0), noon), (viewer.Wall(noon.AddSeconds(7)), viewer.FromWall(new DateTime(2026, 1, 2, 17, 30, 0))));
        viewer.IsUtc = true;
        Assert.Equal(noon, viewer.FromWall(viewer.Wall(noon)));
    }

    [Fact]
    public void Another_time_begins_with_its_newest_exchange()
    {
        var view = View.Of("http://localhost:9900/exchanges?last=6h&api=stripe&after=1-2");

        Assert.Equal("/exchanges?api=stripe&last=24h", view.WithRange(TimeRange.Choices[3]));
        Assert.Equal("/exchanges?api=stripe&from=2026-01-02T03%3A00%3A00Z&to=2026-01-02T04%3A00%3A00Z", view.WithRange(new TimeRange(null, TimeSpan.FromHours(1), new DateTimeOffset(2026, 1, 2, 3, 0, 0, TimeSpan.Zero))));
    }

    [Fact]
    public void Unlisted_hosts_lead_to_their_own_exchanges()
    {
        var path = View.Of("http://localhost:9900/egress/(none)").Link("/exchanges", ("api", View.Named("")), ("direction", "egress"));
        var (search, problem) = ExchangeFilters.Read(View.Of("http://localhost:9900" + path), DateTimeOffset.UnixEpoch);

        Assert.Equal(("", "egress", null), (search.Api, search.Direction, problem));
        Assert.Equal("/egress/%28none%29", View.Of("http://localhost:9900/").LinkToApi("egress", ""));
    }

    [Theory]
    [InlineData("", "1h", 60)]
    [InlineData("?last=24h", "24h", 1440)]
    [InlineData("?last=never", "1h", 60)]
    [InlineData("?from=2026-01-02T03:00:00Z&to=2026-01-02T03:20:00Z", null, 20)]
    [InlineData("?from=2026-01-02T03:00:00Z&to=2026-01-02T03:00:01Z", "1h", 60)]
    [InlineData("?from=2026-01-02T03:00:00Z&to=then&last=15m", "15m", 15)]
    public void A_time_that_makes_no_sense_is_the_default(string query, string? last, int minutes)
    {
        var range = View.Of("http://localhost/" + query).Range;

        Assert.Equal((last, TimeSpan.FromMinutes(minutes)), (range.Last, range.Span));
    }

    [Theory]
    [InlineData(0, "0 ms")]
    [InlineData(0.0421, "42.1 µs")]
    [InlineData(7.4444, "7.44 ms")]
    [InlineData(1_234, "1.23 s")]
    [InlineData(75_000, "1 min 15 s")]
    [InlineData(93_784_000, "1 d 2 h")]
    public void Durations_have_three_digits_and_a_unit(double milliseconds, string text) => Assert.Equal(text, Units.Duration(TimeSpan.FromMilliseconds(milliseconds)));

    [Theory]
    [InlineData(0, "0 %")]
    [InlineData(0.00001, "< 0.01 %")]
    [InlineData(0.0012, "0.12 %")]
    [InlineData(0.04, "4.0 %")]
    [InlineData(0.5, "50 %")]
    public void Shares_are_percentages(double share, string text) => Assert.Equal(text, Units.Share(share));

    [Fact]
    public void A_browser_without_a_known_zone_has_its_minutes()
    {
        var viewer = new Viewer();
        viewer.SetZone("Nowhere/Atlantis 330");
        var noon = new DateTimeOffset(2026, 1, 2, 12, 0, 0, TimeSpan.Zero);

        Assert.Equal(("17:30:00", "UTC+5:30"), (viewer.Clock(noon), viewer.ZoneName(noon)));
        viewer.IsUtc = true;
        Assert.Equal(("12:00:00", "UTC"), (viewer.Clock(noon), viewer.ZoneName(noon)));
    }
}
