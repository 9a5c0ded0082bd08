using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Learning;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>A stale answer in the place of calls that the gateway itself kept from an upstream in trouble: the origin could not be asked (RFC 5861 4).</summary>
public sealed class StaleStandInTests
{
    private readonly CacheBench _bench = new() { Upstream = asked => CacheBench.Answer(asked, 200, "ETag: \"v1\"\nCache-Control: max-age=10, stale-if-error=600", "stored") };

    [Theory]
    [InlineData("circuit_breaker", "circuit_open", true)]
    [InlineData("adaptive_throttle", "throttled_adaptively", true)]
    [InlineData("adaptive_concurrency", "limited_adaptively", true)]
    [InlineData("limits", "provider_cooling_down", true)]
    [InlineData("limits", "rate_limited", false)]
    public async Task It_stands_in_for_a_refusal_that_spares_the_upstream_and_for_no_other(string policy, string code, bool sparesUpstream)
    {
        await _bench.CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(300));
        _bench.Upstream = asked =>
        {
            asked.Reject(new Rejection(policy, code, 503, "not now", TimeSpan.FromSeconds(1)) { SparesUpstream = sparesUpstream });
            return Task.CompletedTask;
        };
        var answer = await _bench.CallAsync();
        Assert.Equal(sparesUpstream ? (Outcome.ServedFromCache, CacheResult.HitStale) : (Outcome.Rejected, CacheResult.StaleMiss), (answer.Exchange.Outcome, answer.Cache));

        _bench.Time.Advance(TimeSpan.FromSeconds(311));
        Assert.Equal(Outcome.Rejected, (await _bench.CallAsync()).Exchange.Outcome);
    }

    [Theory]
    [InlineData(503, true)]
    [InlineData(429, false)]
    public async Task While_a_provider_cools_down_every_caller_gets_it(int status, bool standsInForFirst)
    {
        using var store = new LimitStore(_bench.Time);
        var learning = new ProviderLearning(new LearningSettings { WhenExceeded = WhenExceeded.Reject }, store.ProviderOf("api"), store);
        var limits = new LimitsPolicy(PolicyStage.Attempt, [], store, queue: null, QueueSettings.Default, learning);
        var stored = _bench.Upstream;
        var calls = 0;
        Func<Exchange, Task> provider = stored;
        _bench.Upstream = asked => limits.InvokeAsync(asked, async passed =>
        {
            calls++;
            await provider(passed);
        }).AsTask();
        await _bench.CallAsync();
        _bench.Time.Advance(TimeSpan.FromSeconds(60));
        provider = asked => CacheBench.Answer(asked, status, "Retry-After: 30", "trouble");

        Assert.Equal(standsInForFirst ? "stored" : "trouble", (await _bench.CallAsync()).Content);
        for (var i = 0; i < 3; i++)
        {
            var answer = await _bench.CallAsync();
            Assert.Equal((Outcome.ServedFromCache, "stored", "tidegate; hit; ttl=-50; detail=stale-if-error"), (answer.Exchange.Outcome, answer.Content, answer["Cache-Status"]));
        }

        Assert.Equal(2, calls);
    }
}
