using Tidegate.Policies.Cache;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>What the cache says it would bring, while it only observes.</summary>
public sealed class AdviceTests
{
    private static readonly CacheSettings Observing = new() { Api = "api", Partition = CachePartition.None, Mode = CacheMode.Observe };

    [Fact]
    public async Task Content_that_changes_each_half_hour_may_be_kept_for_ten_seconds_and_no_longer()
    {
        var bench = new CacheBench(Observing);
        bench.Upstream = asked => CacheBench.Answer(asked, 200, "", $"version {(bench.Time.GetUtcNow().ToUnixTimeSeconds() + 30) / 1800}");
        for (var i = 0; i < 3000; i++)
        {
            Assert.False((await bench.CallAsync()).IsFromStore);
            bench.Time.Advance(TimeSpan.FromSeconds(3));
        }

        var report = Assert.Single(bench.Cache.Advisor.Reports);
        Assert.Equal((3000, 3000, 0), (report.Calls, report.Sampled, report.Unshared));

        // Ten seconds are four calls, of which three are saved; a minute is twenty, of which nineteen.
        Assert.Equal(0, report.HitRatio(0));
        Assert.InRange(report.HitRatio(2), 0.74, 0.76);
        Assert.InRange(report.HitRatio(3), 0.94, 0.96);
        Assert.True(report.Tallies[4].Untrue > 0 && report.Tallies[5].Untrue > report.Tallies[4].Untrue);
        var (rule, reason) = report.Propose();
        Assert.True(rule == "cache: { mode: standard, ttl: { success: 10s }, override: true }", rule + ": " + reason);
        Assert.InRange(report.Tallies[2].Untrue, 1, report.Tallies[2].Hits / 100);
    }

    [Fact]
    public async Task What_answers_say_of_themselves_is_played_through_as_it_would_be_stored()
    {
        var bench = new CacheBench(Observing) { Upstream = static asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=30") };
        for (var i = 0; i < 200; i++)
        {
            await bench.CallAsync();
            bench.Time.Advance(TimeSpan.FromSeconds(10));
        }

        // Each third call is made, though every one came within 30 seconds of the last.
        var report = Assert.Single(bench.Cache.Advisor.Reports);
        Assert.InRange(report.HitRatio(0), 0.65, 0.67);
    }

    [Fact]
    public async Task An_endpoint_whose_answers_are_right_about_themselves_needs_no_rule()
    {
        var bench = new CacheBench(Observing);
        bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", $"version {bench.Time.GetUtcNow().ToUnixTimeSeconds() / 60}");
        bench.Time.Advance(TimeSpan.FromSeconds(60 - (bench.Time.GetUtcNow().ToUnixTimeSeconds() % 60)));
        for (var i = 0; i < 600; i++)
        {
            await bench.CallAsync();
            bench.Time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal("cache: { mode: standard }", Assert.Single(bench.Cache.Advisor.Reports).Propose().Rule);
    }

    [Theory]
    [InlineData("Set-Cookie: a=b", "")]
    [InlineData("Cache-Control: private", "")]
    [InlineData("Vary: *", "")]
    [InlineData("", "Authorization: Bearer a")]
    public async Task For_what_no_rule_may_share_none_is_proposed(string given, string asked)
    {
        var bench = new CacheBench(Observing) { Upstream = exchange => CacheBench.Answer(exchange, 200, given) };
        for (var i = 0; i < 300; i++)
        {
            await bench.CallAsync(fields: asked);
            bench.Time.Advance(TimeSpan.FromSeconds(1));
        }

        var report = Assert.Single(bench.Cache.Advisor.Reports);
        Assert.Equal((300, 300, 0, null), (report.Calls, report.Unshared, report.Sampled, report.Propose().Rule));
    }

    [Fact]
    public async Task Answers_that_are_chosen_by_a_field_are_told_apart()
    {
        var bench = new CacheBench(Observing) { Upstream = static asked => CacheBench.Answer(asked, 200, "Vary: Accept-Language", asked.RequestHeaders.Get("Accept-Language")!) };
        for (var i = 0; i < 300; i++)
        {
            await bench.CallAsync(fields: "Accept-Language: " + (i % 2 == 0 ? "de" : "en"));
            bench.Time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.All(Assert.Single(bench.Cache.Advisor.Reports).Tallies, tally => Assert.Equal(0, tally.Untrue));
    }

    [Fact]
    public async Task Any_number_of_urls_takes_bounded_room_and_is_still_judged_right()
    {
        var bench = new CacheBench(Observing) { Upstream = static asked => CacheBench.Answer(asked, 200, "", asked.Target.Path) };
        for (var round = 0; round < 3; round++)
        {
            for (var i = 0; i < 10_000; i++)
            {
                await bench.CallAsync(path: "/" + i);
            }

            bench.Time.Advance(TimeSpan.FromSeconds(30));
        }

        var report = Assert.Single(bench.Cache.Advisor.Reports);
        Assert.Equal(30_000, report.Calls);
        Assert.InRange(report.Sampled, 1000, 12_000);

        // A third would be hit; which URLs are samples, and how early the sample was thinned out, is chance.
        Assert.InRange(report.HitRatio(3), 0.1, 0.5);
    }
}
