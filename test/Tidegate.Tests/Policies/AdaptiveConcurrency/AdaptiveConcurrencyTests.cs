using System.Net;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.AdaptiveConcurrency;
using Xunit;

namespace Tidegate.Tests.Policies.AdaptiveConcurrency;

public sealed class AdaptiveConcurrencyTests
{
    private static readonly AdaptiveConcurrencySettings Default = new();

    private readonly FakeTimeProvider _time = new();
    private readonly Random _random = new(5);
    private readonly ConcurrencyGradient _gradient;

    public AdaptiveConcurrencyTests() => _gradient = new ConcurrencyGradient(_time, _random.NextDouble);

    [Theory]
    [InlineData(4)]
    [InlineData(10)]
    [InlineData(40)]
    [InlineData(150)]
    public void The_limit_settles_a_little_above_what_the_upstream_can_work_on_at_once(int workers)
    {
        var limits = Run(workers, perSecond: workers * 60, seconds: 300);

        // With 50 ms a call a worker does twenty a second, and is sent three times that. A quarter of buffer and the root of the limit may wait.
        var late = limits[^2_000..];
        Assert.InRange(late.Average(), workers, (workers * 1.3) + (2 * Math.Sqrt(workers)) + 4);
        Assert.True(late.Max() <= (workers * 2) + 10, $"{late.Max()}");
    }

    [Fact]
    public void An_upstream_that_loses_most_of_its_capacity_is_followed()
    {
        Run(workers: 40, perSecond: 1_500, seconds: 120);
        var limits = Run(workers: 8, perSecond: 1_500, seconds: 180);

        Assert.InRange(limits[^1_000..].Average(), 8, 22);
    }

    [Fact]
    public void A_load_below_what_the_upstream_can_do_is_never_refused()
    {
        // Ten a second on average in flight, at the first moment and while it is measured too.
        Run(workers: 1_000, perSecond: 200, seconds: 300);

        Assert.Equal(0, _gradient.Refused);
        Assert.InRange(_gradient.Minimum.TotalMilliseconds, 45, 55);
    }

    [Fact]
    public void Probes_come_once_in_a_while_and_not_at_the_same_moment_everywhere()
    {
        // Half of the limit is let in flight during a probe: that is how one is seen from outside.
        var probes = new List<double>();
        for (var gateway = 0; gateway < 20; gateway++)
        {
            var gradient = new ConcurrencyGradient(_time, _random.NextDouble);
            var began = _time.GetTimestamp();
            Measure(gradient, 50);
            var limit = gradient.Limit;
            while (Fill(gradient) >= limit)
            {
                _time.Advance(TimeSpan.FromMilliseconds(100));
            }

            probes.Add(_time.GetElapsedTime(began).TotalSeconds);
        }

        Assert.All(probes, seconds => Assert.InRange(seconds, 60, 69.1));
        Assert.True(probes.Distinct().Count() > 10);

        void Measure(ConcurrencyGradient gradient, int calls)
        {
            for (var i = 0; i < calls; i++)
            {
                Assert.True(gradient.TryEnter(Default, _time.GetTimestamp(), out var generation));
                gradient.Took(Default, generation, 1_000_000, _time.GetTimestamp());
                gradient.Leave(_time.GetTimestamp());
            }
        }

        int Fill(ConcurrencyGradient gradient)
        {
            var entered = 0;
            while (gradient.TryEnter(Default, _time.GetTimestamp(), out _))
            {
                entered++;
            }

            for (var i = 0; i < entered; i++)
            {
                gradient.Leave(_time.GetTimestamp());
            }

            return entered;
        }
    }

    [Fact]
    public async Task What_is_too_much_is_refused_and_a_place_is_free_when_its_answer_has_begun()
    {
        var policy = new AdaptiveConcurrencyPolicy(new AdaptiveConcurrencySettings { Max = 3 }, _gradient, _time);
        var working = Enumerable.Range(0, 3).Select(_ => Begin(policy)).ToList();
        var refused = Call();
        await policy.InvokeAsync(refused, Good);
        Assert.Equal(("adaptive_concurrency", "limited_adaptively", 503, true), (refused.Rejection!.Policy, refused.Rejection!.Code, refused.Rejection!.Status, refused.Rejection!.SparesUpstream));

        working[0].Answers.SetResult();
        await working[0].Running;
        var next = Call();
        await policy.InvokeAsync(next, Good);
        Assert.Null(next.Rejection);
        Assert.Equal(2, _gradient.InFlight);
    }

    [Fact]
    public async Task Streams_that_stay_open_do_not_keep_everything_else_out()
    {
        var policy = new AdaptiveConcurrencyPolicy(Default, _gradient, _time);
        for (var i = 0; i < 200; i++)
        {
            var call = Call();
            await policy.InvokeAsync(call, Good);
            Assert.Equal(200, call.ResponseStatus);
        }
    }

    [Fact]
    public void When_nothing_has_begun_or_ended_for_a_second_one_more_is_let_so_that_it_shows_what_holds_now()
    {
        var settings = new AdaptiveConcurrencySettings { Max = 22 };
        Assert.Equal(20, Enter(100));
        _time.Advance(TimeSpan.FromMilliseconds(999));
        Assert.Equal(0, Enter(100));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(1, Enter(100));
        _time.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal(1, Enter(100));
        _time.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal(0, Enter(100));

        int Enter(int times) => Enumerable.Range(0, times).Count(_ => _gradient.TryEnter(settings, _time.GetTimestamp(), out var _));
    }

    [Theory]
    [InlineData(0, 0, 4_000)]
    [InlineData(3_000, 0, 1_000)]
    [InlineData(-1, 0, 0)]
    [InlineData(4_000, 3_000, 0)]
    public async Task How_slowly_a_client_sends_says_nothing_about_the_upstream(int sentAfter, int answeredAfter, int measured)
    {
        var policy = new AdaptiveConcurrencyPolicy(Default, _gradient, _time);
        for (var i = 0; i < 60; i++)
        {
            await policy.InvokeAsync(Call(), exchange =>
            {
                var began = _time.GetTimestamp();
                exchange.Timings.ContentSent = sentAfter switch { 0 => 0, -1 => ExchangeTimings.NotYet, _ => began + Ticks(sentAfter / 1_000.0) };
                exchange.Timings.ResponseStarted = began + Ticks(answeredAfter == 0 ? 4 : answeredAfter / 1_000.0);
                _time.Advance(TimeSpan.FromSeconds(4));
                exchange.Answer(Outcome.Forwarded, 200);
                return default;
            });
        }

        Assert.Equal(measured, _gradient.Minimum.TotalMilliseconds, 1.0);
    }

    [Fact]
    public async Task A_fault_of_ours_gives_its_place_back()
    {
        var policy = new AdaptiveConcurrencyPolicy(Default, _gradient, _time);
        await Assert.ThrowsAsync<InvalidOperationException>(() => policy.InvokeAsync(Call(), _ => throw new InvalidOperationException("bug")).AsTask());
        Assert.Equal(0, _gradient.InFlight);
    }

    [Fact]
    public async Task In_observe_mode_nothing_is_refused()
    {
        var policy = new AdaptiveConcurrencyPolicy(new AdaptiveConcurrencySettings { Max = 3, Mode = PolicyMode.Observe }, _gradient, _time);
        var working = Enumerable.Range(0, 5).Select(_ => Begin(policy)).ToList();
        Assert.Equal([0, 0, 0, 1, 1], working.Select(call => call.Exchange.Observed.Count));
        Assert.Contains("3 of 3 in flight", policy.Explain(Call()).Summary, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Quick_refusals_and_errors_do_not_pass_for_an_upstream_with_little_to_do()
    {
        var policy = new AdaptiveConcurrencyPolicy(Default, _gradient, _time);
        for (var i = 0; i < 200; i++)
        {
            var call = Call();
            await policy.InvokeAsync(call, exchange =>
            {
                exchange.Answer(Outcome.Forwarded, i % 2 == 0 ? 503 : 429);
                return default;
            });
            call.EndAnswer(0);
        }

        Assert.Equal(TimeSpan.Zero, _gradient.Minimum);
        Assert.Equal(0, _gradient.InFlight);
    }

    /// <summary>A call that its upstream works on until the test lets it answer.</summary>
    private static (Exchange Exchange, Task Running, TaskCompletionSource Answers) Begin(AdaptiveConcurrencyPolicy policy)
    {
        var call = Call();
        var answers = new TaskCompletionSource();
        var running = policy.InvokeAsync(call, async exchange =>
        {
            await answers.Task;
            exchange.Answer(Outcome.Forwarded, 200);
        }).AsTask();
        return (call, running, answers);
    }

    private static ValueTask Good(Exchange exchange)
    {
        exchange.Answer(Outcome.Forwarded, 200);
        return default;
    }

    private static Exchange Call() => new() { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = null! };

    /// <summary>An upstream with so many workers, who take 50 ms a call, give or take a tenth; what they do not get to waits inside it. Returns the limit at each arrival.</summary>
    private List<int> Run(int workers, int perSecond, int seconds)
    {
        var limits = new List<int>();
        var free = new PriorityQueue<double, double>();
        for (var i = 0; i < workers; i++)
        {
            free.Enqueue(0, 0);
        }

        var ends = new PriorityQueue<(double Began, int Generation), double>();
        var start = _time.GetTimestamp();
        for (var now = 0.0; now < seconds;)
        {
            now += -Math.Log(1 - _random.NextDouble()) / perSecond;
            while (ends.TryPeek(out var call, out var end) && end <= now)
            {
                ends.Dequeue();
                _gradient.Took(Default, call.Generation, Ticks(end - call.Began), start + Ticks(end));
                _gradient.Leave(start + Ticks(end));
            }

            if (_gradient.TryEnter(Default, start + Ticks(now), out var generation))
            {
                var end = Math.Max(now, free.Dequeue()) + (0.05 * (0.9 + (0.2 * _random.NextDouble())));
                free.Enqueue(end, end);
                ends.Enqueue((now, generation), end);
            }

            limits.Add(_gradient.Limit);
        }

        while (ends.TryDequeue(out _, out _))
        {
            _gradient.Leave(_time.GetTimestamp());
        }

        _time.Advance(TimeSpan.FromSeconds(seconds));
        return limits;
    }

    private long Ticks(double seconds) => (long)(seconds * _time.TimestampFrequency);
}
