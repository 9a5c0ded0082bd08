using System.Net;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.AdaptiveThrottle;
using Xunit;

namespace Tidegate.Tests.Policies.AdaptiveThrottle;

public sealed class AdaptiveThrottleTests
{
    private static readonly Failure Reset = new(FailureSource.Upstream, FailureKind.RequestFailed, Retryable: false, "reset");
    private static readonly Failure Left = new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "left");

    private readonly FakeTimeProvider _time = new();
    private readonly Random _random = new(11);
    private readonly Throttle _throttle;
    private int _sent;

    public AdaptiveThrottleTests() => _throttle = new Throttle(_time, _random.NextDouble);

    [Fact]
    public async Task An_upstream_that_accepts_everything_gets_everything()
    {
        var policy = Policy();
        for (var i = 0; i < 5_000; i++)
        {
            Assert.Null((await CallAsync(policy, i % 3 == 0 ? 404 : 200)).Rejection);
            _time.Advance(TimeSpan.FromMilliseconds(10));
        }

        Assert.Equal(5_000, _sent);
    }

    [Fact]
    public async Task An_upstream_that_is_dead_gets_hardly_more_than_one_attempt_a_second()
    {
        var policy = Policy();
        await RunAsync(policy, seconds: 300, perSecond: 100, _ => 200);
        await RunAsync(policy, seconds: 300, perSecond: 100, _ => 503);
        _sent = 0;
        await RunAsync(policy, seconds: 600, perSecond: 100, _ => 503);

        // 60,000 calls, 600 probes, none accepted.
        Assert.InRange(_sent, 590, 660);
    }

    [Theory]
    [InlineData(1.0)]
    [InlineData(0.1)]
    public async Task An_upstream_that_accepts_a_part_gets_that_and_its_headroom(double headroom)
    {
        var policy = Policy(new AdaptiveThrottleSettings { Headroom = headroom });
        var accepted = 0;
        var now = 0;

        // It can do twenty a second, and is asked for a hundred.
        int Answer(int second)
        {
            accepted = second == now ? accepted : 0;
            now = second;
            return accepted++ < 20 ? 200 : 429;
        }

        await RunAsync(policy, seconds: 600, perSecond: 100, Answer);
        _sent = 0;
        await RunAsync(policy, seconds: 600, perSecond: 100, Answer);

        Assert.InRange(_sent / 600.0, 20, 20 * (1 + headroom) * 1.1);
    }

    [Fact]
    public async Task An_upstream_that_comes_back_is_found_out_and_gets_everything_again()
    {
        var policy = Policy();
        await RunAsync(policy, seconds: 600, perSecond: 100, _ => 503);
        await RunAsync(policy, seconds: 400, perSecond: 100, _ => 200);
        _sent = 0;
        await RunAsync(policy, seconds: 10, perSecond: 100, _ => 200);

        Assert.Equal(1_000, _sent);
    }

    [Fact]
    public async Task What_is_under_way_is_not_taken_for_refused()
    {
        var policy = Policy();
        var answer = new TaskCompletionSource();
        var calls = Enumerable.Range(0, 500).Select(_ => Call()).ToList();
        var waits = calls.Select(call => policy.InvokeAsync(call, async exchange =>
        {
            await answer.Task;
            exchange.Answer(Outcome.Forwarded, 200);
        }).AsTask()).ToList();
        _time.Advance(TimeSpan.FromSeconds(60));

        Assert.All(calls, call => Assert.Null(call.Rejection));
        answer.SetResult();
        await Task.WhenAll(waits);
        Assert.Equal(0, _throttle.Probability(new AdaptiveThrottleSettings(), _time.GetTimestamp()));
    }

    [Fact]
    public async Task A_client_that_leaves_and_a_limit_of_ours_say_nothing_about_the_upstream()
    {
        var policy = Policy();
        for (var i = 0; i < 100; i++)
        {
            await CallAsync(policy, exchange => exchange.Fail(Left));
            await CallAsync(policy, exchange => exchange.Reject(new Rejection("limits", "rate_limited", 429, "")));
        }

        Assert.Equal(0, _throttle.Probability(new AdaptiveThrottleSettings(), _time.GetTimestamp()));
        await CallAsync(policy, exchange => exchange.Fail(Reset));
        Assert.Equal(0.5, _throttle.Probability(new AdaptiveThrottleSettings(), _time.GetTimestamp()));
    }

    [Fact]
    public async Task In_observe_mode_everything_is_sent_and_the_record_says_what_would_not_have_been()
    {
        var policy = Policy(new AdaptiveThrottleSettings { Mode = PolicyMode.Observe });
        var observed = 0;
        for (var i = 0; i < 100; i++)
        {
            var call = await CallAsync(policy, 503);
            Assert.Null(call.Rejection);
            observed += call.Observed.Contains(new PolicyDecision("adaptive_throttle", "throttled_adaptively")) ? 1 : 0;
        }

        Assert.Equal(100, _sent);
        Assert.InRange(observed, 80, 99);
        Assert.Contains("(observe)", policy.Explain(Call()).Summary, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_refusal_says_why_and_when_to_come_back()
    {
        var policy = Policy();
        var calls = new List<Exchange>();
        for (var i = 0; i < 50; i++)
        {
            calls.Add(await CallAsync(policy, 503));
        }

        var refused = calls.First(call => call.Rejection is not null).Rejection!;
        Assert.Equal(("adaptive_throttle", "throttled_adaptively", 503, TimeSpan.FromSeconds(1)), (refused.Policy, refused.Code, refused.Status, refused.RetryAfter!.Value));
        Assert.True(refused.SparesUpstream);
    }

    private async Task RunAsync(AdaptiveThrottlePolicy policy, int seconds, int perSecond, Func<int, int> status)
    {
        for (var second = 0; second < seconds; second++)
        {
            for (var i = 0; i < perSecond; i++)
            {
                await CallAsync(policy, exchange => exchange.Answer(Outcome.Forwarded, status(second)));
                _time.Advance(TimeSpan.FromSeconds(1.0 / perSecond));
            }
        }
    }

    private Task<Exchange> CallAsync(AdaptiveThrottlePolicy policy, int status) => CallAsync(policy, exchange => exchange.Answer(Outcome.Forwarded, status));

    private async Task<Exchange> CallAsync(AdaptiveThrottlePolicy policy, Action<Exchange> answer)
    {
        var exchange = Call();
        await policy.InvokeAsync(exchange, reached =>
        {
            _sent++;
            answer(reached);
            return default;
        });
        return exchange;
    }

    private AdaptiveThrottlePolicy Policy(AdaptiveThrottleSettings? settings = null) => new(settings ?? new AdaptiveThrottleSettings(), _throttle, _time);

    private static Exchange Call() => new() { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = null! };
}
