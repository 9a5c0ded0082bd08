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
                gradient.Leave();
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
                gradient.Leave();
            }

            return entered;
        }
    }

    [Fact]
    public async Task What_is_too_much_is_refused_and_a_place_is_free_when_its_answer_was_read()
    {
        var policy = new AdaptiveConcurrencyPolicy(new AdaptiveConcurrencySettings { Max = 3 }, _gradient, _time);
        var calls = Enumerable.Range(0, 4).Select(_ => Call()).ToList();
        foreach (var call in calls)
        {
            await policy.InvokeAsync(call, Good);
        }

        Assert.All(calls[..3], call => Assert.Null(call.Rejection));
        Assert.Equal(("adaptive_concurrency", "limited_adaptively", 503), (calls[3].Rejection!.Policy, calls[3].Rejection!.Code, calls[3].Rejection!.Status));
        calls[0].EndAnswer(0);
        var next = Call();
        await policy.InvokeAsync(next, Good);
        Assert.Null(next.Rejection);
        Assert.Equal(3, _gradient.InFlight);
    }

    [Fact]
    public async Task In_observe_mode_nothing_is_refused()
    {
        var policy = new AdaptiveConcurrencyPolicy(new AdaptiveConcurrencySettings { Max = 3, Mode = PolicyMode.Observe }, _gradient, _time);
        var calls = Enumerable.Range(0, 5).Select(_ => Call()).ToList();
        foreach (var call in calls)
        {
            await policy.InvokeAsync(call, Good);
        }

        Assert.All(calls, call => Assert.Equal(200, call.ResponseStatus));
        Assert.Equal([0, 0, 0, 1, 1], calls.Select(call => call.Observed.Count));
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
                _gradient.Leave();
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
            _gradient.Leave();
        }

        _time.Advance(TimeSpan.FromSeconds(seconds));
        return limits;
    }

    private long Ticks(double seconds) => (long)(seconds * _time.TimestampFrequency);
}
