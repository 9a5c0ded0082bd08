using System.Net;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.CircuitBreaker;
using Xunit;

namespace Tidegate.Tests.Policies.CircuitBreaker;

public sealed class CircuitBreakerTests
{
    private static readonly Failure Reset = new(FailureSource.Upstream, FailureKind.RequestFailed, Retryable: false, "reset");
    private static readonly Failure Left = new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "left");

    private readonly FakeTimeProvider _time = new();
    private readonly Circuit _circuit;
    private int _reached;

    public CircuitBreakerTests() => _circuit = new Circuit(_time);

    [Fact]
    public async Task It_opens_when_enough_attempts_failed_and_says_when_to_come_back()
    {
        var policy = Policy(new CircuitBreakerSettings { Minimum = 20, FailureRatio = 0.5, OpenFor = TimeSpan.FromSeconds(15) });
        for (var i = 0; i < 10; i++)
        {
            await CallAsync(policy, 200);
            Assert.Null((await CallAsync(policy, 503)).Rejection);
        }

        _time.Advance(TimeSpan.FromSeconds(5));
        var refused = await CallAsync(policy, 200);

        Assert.Equal((503, "circuit_open", true), (refused.Rejection!.Status, refused.Rejection.Code, refused.Rejection.SparesUpstream));
        Assert.Equal(TimeSpan.FromSeconds(10), refused.Rejection.RetryAfter);
        Assert.Equal(20, _reached);
        Assert.Equal(1, _circuit.Opened);
    }

    [Fact]
    public async Task A_destination_that_is_left_out_says_nothing_of_the_upstream_while_another_is_there()
    {
        var policy = Policy(new CircuitBreakerSettings { Minimum = 20 });
        for (var i = 0; i < 100; i++)
        {
            Assert.Null((await CallAsync(policy, exchange =>
            {
                (exchange.IsDestinationLeftOut, exchange.HasOtherDestination) = (true, true);
                exchange.Fail(Reset);
            })).Rejection);
        }

        // Where it keeps its turns, nothing else holds calls back from what fails: there it counts.
        for (var i = 0; i < 20; i++)
        {
            await CallAsync(policy, exchange =>
            {
                exchange.HasOtherDestination = true;
                exchange.Fail(Reset);
            });
        }

        Assert.Equal(CircuitState.Open, _circuit.State);
        Assert.Equal(120, _reached);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_may_go_to_another_destination_next_is_judged_by_what_becomes_of_it_there(bool mayBeRepeated)
    {
        var policy = Policy(new CircuitBreakerSettings { Minimum = 5 });
        for (var i = 0; i < 5; i++)
        {
            await CallAsync(policy, exchange =>
            {
                (exchange.MayBeRepeated, exchange.HasOtherDestination) = (mayBeRepeated, true);
                exchange.Fail(Reset);
            });
            await CallAsync(policy, 200);
        }

        Assert.Equal(mayBeRepeated ? CircuitState.Closed : CircuitState.Open, _circuit.State);
    }

    [Fact]
    public async Task When_its_time_is_over_it_says_half_open_although_nobody_tries()
    {
        var policy = Policy(new CircuitBreakerSettings { Minimum = 1, OpenFor = TimeSpan.FromSeconds(15) });
        await CallAsync(policy, Reset);

        _time.Advance(TimeSpan.FromSeconds(14.9));
        Assert.Equal(CircuitState.Open, _circuit.State);
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Equal(CircuitState.HalfOpen, _circuit.State);
    }

    [Fact]
    public async Task Too_few_results_say_nothing()
    {
        var policy = Policy(new CircuitBreakerSettings { Minimum = 20 });
        for (var i = 0; i < 19; i++)
        {
            await CallAsync(policy, Reset);
        }

        Assert.Equal(CircuitState.Closed, _circuit.State);
        await CallAsync(policy, Reset);
        Assert.Equal(CircuitState.Open, _circuit.State);
    }

    [Fact]
    public async Task Results_that_are_older_than_the_window_do_not_count()
    {
        var policy = Policy(new CircuitBreakerSettings { Minimum = 10, Window = TimeSpan.FromSeconds(30) });
        for (var i = 0; i < 100; i++)
        {
            await CallAsync(policy, 503);
            _time.Advance(TimeSpan.FromSeconds(4));
        }

        Assert.Equal(CircuitState.Closed, _circuit.State);
    }

    [Fact]
    public async Task One_probe_decides_and_the_others_wait_for_it()
    {
        var policy = Policy(new CircuitBreakerSettings { Minimum = 1, OpenFor = TimeSpan.FromSeconds(15) });
        await CallAsync(policy, 503);
        _time.Advance(TimeSpan.FromSeconds(15));

        var answer = new TaskCompletionSource();
        var probe = Call();
        var probing = policy.InvokeAsync(probe, async exchange =>
        {
            await answer.Task;
            exchange.Answer(Outcome.Forwarded, 200);
        }).AsTask();
        Assert.Equal("circuit_open", (await CallAsync(policy, 200)).Rejection!.Code);
        answer.SetResult();
        await probing;

        Assert.Equal(CircuitState.Closed, _circuit.State);
        Assert.Null((await CallAsync(policy, 200)).Rejection);
    }

    [Fact]
    public async Task A_probe_that_fails_opens_it_again()
    {
        var policy = Policy(new CircuitBreakerSettings { Minimum = 1, OpenFor = TimeSpan.FromSeconds(15) });
        await CallAsync(policy, 503);
        _time.Advance(TimeSpan.FromSeconds(15));
        await CallAsync(policy, Reset);

        Assert.Equal(TimeSpan.FromSeconds(15), (await CallAsync(policy, 200)).Rejection!.RetryAfter);
        _time.Advance(TimeSpan.FromSeconds(15));
        Assert.Null((await CallAsync(policy, 200)).Rejection);
        Assert.Equal(CircuitState.Closed, _circuit.State);
    }

    [Fact]
    public async Task A_probe_whose_client_leaves_makes_room_for_another()
    {
        var policy = Policy(new CircuitBreakerSettings { Minimum = 1, OpenFor = TimeSpan.FromSeconds(15) });
        await CallAsync(policy, 503);
        _time.Advance(TimeSpan.FromSeconds(15));
        await CallAsync(policy, Left);

        Assert.Equal(CircuitState.HalfOpen, _circuit.State);
        Assert.Null((await CallAsync(policy, 200)).Rejection);
        Assert.Equal(CircuitState.Closed, _circuit.State);
    }

    [Fact]
    public async Task A_probe_that_never_ends_does_not_keep_it_half_open_for_ever()
    {
        var policy = Policy(new CircuitBreakerSettings { Minimum = 1, OpenFor = TimeSpan.FromSeconds(15) });
        await CallAsync(policy, 503);
        _time.Advance(TimeSpan.FromSeconds(15));
        _ = policy.InvokeAsync(Call(), _ => new ValueTask(new TaskCompletionSource().Task)).AsTask();
        Assert.NotNull((await CallAsync(policy, 200)).Rejection);

        _time.Advance(TimeSpan.FromSeconds(15));
        Assert.Null((await CallAsync(policy, 200)).Rejection);
    }

    [Theory]
    [InlineData(200)]
    [InlineData(404)]
    [InlineData(429)]
    [InlineData(500)]
    public async Task An_upstream_that_answers_is_not_down(int status)
    {
        var policy = Policy(new CircuitBreakerSettings { Minimum = 1 });
        for (var i = 0; i < 100; i++)
        {
            await CallAsync(policy, status);
        }

        Assert.Equal(CircuitState.Closed, _circuit.State);
    }

    [Fact]
    public async Task An_answer_that_breaks_counts_as_one_failure_and_not_as_a_success_too()
    {
        var policy = Policy(new CircuitBreakerSettings { Minimum = 5, FailureRatio = 1 });
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(CircuitState.Closed, _circuit.State);
            var exchange = await CallAsync(policy, 200);
            exchange.Fail(new Failure(FailureSource.Upstream, FailureKind.ResponseTruncated, Retryable: false, "cut"));
            exchange.EndAnswer(downTo: 0);
        }

        Assert.Equal(CircuitState.Open, _circuit.State);
    }

    [Fact]
    public async Task An_answer_that_began_before_the_last_change_and_breaks_says_nothing_about_now()
    {
        var policy = Policy(new CircuitBreakerSettings { Minimum = 3, FailureRatio = 0.5, OpenFor = TimeSpan.FromSeconds(15) });
        var streams = new List<Exchange>();
        for (var i = 0; i < 5; i++)
        {
            streams.Add(await CallAsync(policy, 200));
        }

        for (var i = 0; i < 5; i++)
        {
            await CallAsync(policy, 503);
        }

        _time.Advance(TimeSpan.FromSeconds(15));
        await CallAsync(policy, 200);
        Assert.Equal(CircuitState.Closed, _circuit.State);
        foreach (var stream in streams)
        {
            stream.Fail(new Failure(FailureSource.Upstream, FailureKind.ResponseTruncated, Retryable: false, "cut"));
            stream.EndAnswer(downTo: 0);
        }

        Assert.Equal((CircuitState.Closed, 1L), (_circuit.State, _circuit.Opened));
    }

    [Fact]
    public void While_a_probe_is_under_way_the_wait_is_until_the_next_may_be_made()
    {
        var settings = new CircuitBreakerSettings { Minimum = 1, OpenFor = TimeSpan.FromSeconds(15), Probes = 1 };
        _circuit.Failed(_circuit.Enter(settings, _time.GetTimestamp(), out _)!.Value, settings, _time.GetTimestamp());
        _time.Advance(TimeSpan.FromSeconds(15));
        Assert.NotNull(_circuit.Enter(settings, _time.GetTimestamp(), out _));
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.Null(_circuit.Enter(settings, _time.GetTimestamp(), out var wait));

        Assert.Equal(TimeSpan.FromSeconds(9), wait);
    }

    [Fact]
    public void What_began_before_the_last_change_says_nothing_about_now()
    {
        var settings = new CircuitBreakerSettings { Minimum = 1, OpenFor = TimeSpan.FromSeconds(15), Probes = 1 };
        var late = _circuit.Enter(settings, _time.GetTimestamp(), out _)!.Value;
        var lateToo = _circuit.Enter(settings, _time.GetTimestamp(), out _)!.Value;
        _circuit.Failed(_circuit.Enter(settings, _time.GetTimestamp(), out _)!.Value, settings, _time.GetTimestamp());
        _time.Advance(TimeSpan.FromSeconds(15));
        var probe = _circuit.Enter(settings, _time.GetTimestamp(), out _)!.Value;

        // Neither closes it, nor opens it again, nor makes room for a second probe.
        _circuit.Succeeded(late, settings, _time.GetTimestamp());
        Assert.Equal(CircuitState.HalfOpen, _circuit.State);
        _circuit.Failed(lateToo, settings, _time.GetTimestamp());
        Assert.Equal(CircuitState.HalfOpen, _circuit.State);
        _circuit.Abandoned(late);
        Assert.Null(_circuit.Enter(settings, _time.GetTimestamp(), out _));

        _circuit.Succeeded(probe, settings, _time.GetTimestamp());
        Assert.Equal(CircuitState.Closed, _circuit.State);
    }

    [Fact]
    public void A_probe_that_never_comes_back_does_not_keep_others_out_for_ever()
    {
        var settings = new CircuitBreakerSettings { Minimum = 1, OpenFor = TimeSpan.FromSeconds(15), Probes = 1 };
        _circuit.Failed(_circuit.Enter(settings, _time.GetTimestamp(), out _)!.Value, settings, _time.GetTimestamp());
        _time.Advance(TimeSpan.FromSeconds(15));
        Assert.NotNull(_circuit.Enter(settings, _time.GetTimestamp(), out _));
        Assert.Null(_circuit.Enter(settings, _time.GetTimestamp(), out var wait));
        Assert.Equal(TimeSpan.FromSeconds(15), wait);

        _time.Advance(wait);
        Assert.NotNull(_circuit.Enter(settings, _time.GetTimestamp(), out _));
    }

    [Fact]
    public async Task In_observe_mode_everything_passes_and_the_record_says_what_would_not_have()
    {
        var policy = Policy(new CircuitBreakerSettings { Minimum = 1, Mode = PolicyMode.Observe });
        await CallAsync(policy, 503);
        var passed = await CallAsync(policy, 200);

        Assert.Null(passed.Rejection);
        Assert.Equal(new PolicyDecision("circuit_breaker", "circuit_open"), Assert.Single(passed.Observed));
    }

    private static Exchange Call() => new() { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = null!, Method = "GET" };

    private CircuitBreakerPolicy Policy(CircuitBreakerSettings settings) => new(settings, _circuit, _time);

    private Task<Exchange> CallAsync(CircuitBreakerPolicy policy, int status) => CallAsync(policy, exchange => exchange.Answer(Outcome.Forwarded, status));

    private Task<Exchange> CallAsync(CircuitBreakerPolicy policy, Failure failure) => CallAsync(policy, exchange => exchange.Fail(failure));

    private async Task<Exchange> CallAsync(CircuitBreakerPolicy policy, Action<Exchange> answer)
    {
        var exchange = Call();
        await policy.InvokeAsync(exchange, reached =>
        {
            _reached++;
            answer(reached);
            return default;
        });
        return exchange;
    }
}
