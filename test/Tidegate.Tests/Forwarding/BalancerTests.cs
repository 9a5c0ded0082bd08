using System.Net;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Xunit;

namespace Tidegate.Tests.Forwarding;

public sealed class BalancerTests
{
    private static readonly Failure Down = new(FailureSource.Upstream, FailureKind.ConnectFailed, Retryable: true, "down");
    private static readonly Failure Left = new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "left");

    private readonly FakeTimeProvider _time = new();
    private readonly Balancer _balancer;

    public BalancerTests() => _balancer = new Balancer(_time);

    [Fact]
    public void Destinations_take_turns()
    {
        var upstream = Of(3);
        Assert.Equal([0, 1, 2, 0, 1, 2], Enumerable.Range(0, 6).Select(_ => Choose(upstream).Index));
    }

    [Fact]
    public void One_that_fails_in_a_row_is_left_out_for_a_while_longer_each_time()
    {
        var upstream = Of(3);
        Fail(upstream, 1, times: 4);
        Assert.Contains(1, Chosen(upstream));
        Fail(upstream, 1, times: 1);
        Assert.DoesNotContain(1, Chosen(upstream));

        for (var times = 1; times <= 7; times++)
        {
            _time.Advance(TimeSpan.FromSeconds((10 * Math.Min(times, 5)) - 0.001));
            Assert.DoesNotContain(1, Chosen(upstream));
            _time.Advance(TimeSpan.FromSeconds(0.001));

            // One call finds out, and it fails again.
            Probe(upstream, 1, exchange => exchange.Fail(Down));
        }
    }

    [Fact]
    public void When_its_time_is_over_one_attempt_at_a_time_finds_out_and_the_others_pass_it_over()
    {
        var upstream = Of(2) with { Balance = Balance.Ordered };
        Fail(upstream, 0, times: 5);
        _time.Advance(TimeSpan.FromSeconds(10));

        // A thousand calls come while the probe waits for a connection: none of them goes there.
        var probe = _balancer.Choose(Call(), upstream, 0, out _)!.Value;
        Assert.Equal(0, probe.Index);
        Assert.All(Enumerable.Range(0, 1_000), _ => Assert.Equal(1, Choose(upstream).Index));
        Note(upstream, probe, exchange => exchange.Fail(Down));
        Assert.All(Chosen(upstream), index => Assert.Equal(1, index));

        // Twice as long; the next one's client leaves, which says nothing, and another finds out that it is back.
        _time.Advance(TimeSpan.FromSeconds(20));
        Probe(upstream, 0, exchange => exchange.Fail(Left));
        Probe(upstream, 0, exchange => exchange.Answer(Outcome.Forwarded, 200));
        Assert.All(Chosen(upstream), index => Assert.Equal(0, index));
    }

    [Fact]
    public void A_probe_that_no_limit_has_room_for_leaves_its_place_to_another()
    {
        var upstream = Of(2);
        Fail(upstream, 1, times: 5);
        _time.Advance(TimeSpan.FromSeconds(10));
        Probe(upstream, 1, exchange => exchange.Reject(new Rejection("limits", "rate_limited", 429, "full")));
        Assert.Contains(1, Chosen(upstream));
    }

    [Fact]
    public void What_began_before_it_was_left_out_neither_prolongs_nor_ends_that()
    {
        var upstream = Of(2);
        var before = HealthOf(upstream, 1).Enter(1);
        Fail(upstream, 1, times: 5);
        Note(upstream, before, exchange => exchange.Answer(Outcome.Forwarded, 200));
        Assert.DoesNotContain(1, Chosen(upstream));

        _time.Advance(TimeSpan.FromSeconds(10));
        var probe = Take(upstream, 1);
        Note(upstream, before, exchange => exchange.Fail(Down));
        Note(upstream, probe, exchange => exchange.Answer(Outcome.Forwarded, 200));
        Note(upstream, before, exchange => exchange.Fail(Down));
        Assert.Contains(1, Chosen(upstream));
    }

    [Fact]
    public void One_that_fails_more_often_than_not_is_left_out_although_it_answers_now_and_then()
    {
        var upstream = Of(2);
        for (var i = 0; i < 20; i++)
        {
            Assert.Contains(1, Chosen(upstream));
            Note(upstream, 1, exchange => exchange.Answer(Outcome.Forwarded, i % 4 == 0 ? 200 : 503));
        }

        Assert.DoesNotContain(1, Chosen(upstream));
    }

    [Fact]
    public void A_share_of_failures_means_nothing_among_few_results_nor_among_old_ones()
    {
        var upstream = Of(2);
        for (var i = 0; i < 200; i++)
        {
            // Every third fails; and of each half minute, two in three of nineteen.
            _time.Advance(TimeSpan.FromSeconds(i % 19 == 0 ? 31 : 0));
            Note(upstream, 1, exchange => exchange.Answer(Outcome.Forwarded, i % 3 == 0 ? 200 : 503));
            Note(upstream, 0, exchange => exchange.Answer(Outcome.Forwarded, i % 3 == 0 ? 503 : 200));
        }

        Assert.Equal([0, 1], Chosen(upstream).Distinct().Order());
        Assert.Equal(0, HealthOf(1).Ejected);
    }

    [Fact]
    public void One_that_asks_for_a_pause_is_left_out_exactly_as_long_and_all_return_at_once()
    {
        var upstream = Of(2) with { Balance = Balance.Ordered };
        _balancer.SetAside(Call(), upstream, 1, TimeSpan.FromSeconds(30));
        _balancer.SetAside(Call(), upstream, 1, TimeSpan.FromSeconds(5));
        Assert.Equal((1, 0), (HealthOf(0).SetAside, HealthOf(0).Ejected));
        _time.Advance(TimeSpan.FromSeconds(29.999));
        Assert.All(Chosen(upstream), index => Assert.Equal(1, index));
        _time.Advance(TimeSpan.FromSeconds(0.001));
        Assert.All(Chosen(upstream), index => Assert.Equal(0, index));
    }

    [Fact]
    public void When_all_have_asked_for_a_pause_none_is_asked_before_the_first_is_back()
    {
        var upstream = Of(3);
        _balancer.SetAside(Call(), upstream, 0b001, TimeSpan.FromSeconds(30));
        _balancer.SetAside(Call(), upstream, 0b110, TimeSpan.FromSeconds(12));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Null(_balancer.Choose(Call(), upstream, 0, out var wait));
        Assert.Equal(TimeSpan.FromSeconds(10), wait);

        _time.Advance(wait);
        Assert.Equal([1, 2], Chosen(upstream).Distinct().Order());
    }

    [Fact]
    public void When_none_answers_those_that_asked_for_a_pause_still_get_it()
    {
        var upstream = Of(2);
        Fail(upstream, 0, times: 5);
        _balancer.SetAside(Call(), upstream, 0b10, TimeSpan.FromSeconds(30));
        Assert.All(Chosen(upstream), index => Assert.Equal(0, index));
    }

    [Fact]
    public void Observed_a_pause_is_noted_and_nobody_is_left_out_for_it()
    {
        var upstream = Observed(2) with { Balance = Balance.Ordered };
        var asked = Call();
        _balancer.SetAside(asked, upstream, 0b01, TimeSpan.FromSeconds(30));
        Assert.Equal("ejection: destination_set_aside", Decisions(asked));
        Assert.Equal((0, "ejection: destination_passed_over"), Choose(upstream));
        _balancer.SetAside(Call(), upstream, 0b10, TimeSpan.FromSeconds(30));
        Assert.Equal((0, "ejection: destinations_set_aside"), Choose(upstream));
    }

    [Fact]
    public void It_is_known_since_when_one_is_left_out_for_how_much_longer_and_after_how_many_failures()
    {
        var upstream = Of(2);
        Fail(upstream, 1, times: 5);
        _time.Advance(TimeSpan.FromSeconds(4));
        var health = _balancer.All.Single(one => one.Destination == upstream.Destinations[1]).Health;

        Assert.Equal((TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(6)), health.EjectedFor(_time.GetTimestamp()));
        Assert.Equal(5, health.FailuresInRow);
        _time.Advance(TimeSpan.FromSeconds(6));
        Probe(upstream, 1, exchange => exchange.Fail(Down));
        Assert.Equal((TimeSpan.Zero, TimeSpan.FromSeconds(20)), health.EjectedFor(_time.GetTimestamp()));
        Assert.Equal(6, health.FailuresInRow);
        Note(upstream, 1, exchange => exchange.Answer(Outcome.Forwarded, 200));
        Assert.Equal(0, health.FailuresInRow);
    }

    [Fact]
    public void An_answer_forgives_everything()
    {
        var upstream = Of(2);
        Fail(upstream, 1, times: 5);
        _time.Advance(TimeSpan.FromSeconds(10));
        Probe(upstream, 1, exchange => exchange.Answer(Outcome.Forwarded, 200));
        Fail(upstream, 1, times: 4);

        Assert.Contains(1, Chosen(upstream));
    }

    [Fact]
    public void When_none_answers_all_have_their_turns()
    {
        var upstream = Of(2);
        Fail(upstream, 0, times: 5);
        Fail(upstream, 1, times: 5);

        Assert.Equal([0, 1], Chosen(upstream).Distinct().Order());
    }

    [Fact]
    public void A_client_that_leaves_says_nothing_about_a_destination()
    {
        var upstream = Of(2);
        for (var i = 0; i < 20; i++)
        {
            Note(upstream, 1, exchange => exchange.Fail(Left));
        }

        Assert.Contains(1, Chosen(upstream));
    }

    [Fact]
    public void Ordered_is_the_first_that_answers_and_each_further_attempt_the_next()
    {
        var upstream = Of(3) with { Balance = Balance.Ordered };
        Assert.All(Chosen(upstream), index => Assert.Equal(0, index));

        var exchange = Call();
        Assert.Equal([0, 1, 2, 0], Enumerable.Range(0, 4).Select(_ => Attempt(exchange, upstream, attempt => attempt.Fail(Down))));
        Succeed(upstream, 0);

        Fail(upstream, 0, times: 5);
        Assert.All(Chosen(upstream), index => Assert.Equal(1, index));
        _time.Advance(TimeSpan.FromSeconds(10));
        Probe(upstream, 0, other => other.Answer(Outcome.Forwarded, 200));
        Assert.All(Chosen(upstream), index => Assert.Equal(0, index));
    }

    [Theory]
    [InlineData(429)]
    [InlineData(401)]
    [InlineData(500)]
    public void Ordered_stays_with_the_first_when_it_answered_and_only_the_key_or_a_limit_was_refused(int status)
    {
        var upstream = Of(3) with { Balance = Balance.Ordered };
        var exchange = Call();
        Assert.Equal([0, 0, 0], Enumerable.Range(0, 3).Select(_ => Attempt(exchange, upstream, attempt => attempt.Answer(Outcome.Forwarded, status))));

        Assert.Equal([0, 1], Enumerable.Range(0, 2).Select(_ => Attempt(exchange, upstream, attempt => attempt.Answer(Outcome.Forwarded, 503))));
        Assert.Equal([2, 2], Enumerable.Range(0, 2).Select(_ => Attempt(exchange, upstream, attempt => attempt.Answer(Outcome.Forwarded, status))));
    }

    [Fact]
    public void In_turn_each_further_attempt_is_the_nexts_whatever_the_last_said()
    {
        var upstream = Of(3);
        var exchange = Call();
        Assert.Equal([0, 1, 2, 0], Enumerable.Range(0, 4).Select(_ => Attempt(exchange, upstream, attempt => attempt.Answer(Outcome.Forwarded, 429))));
    }

    [Fact]
    public void A_failed_exchange_knows_whether_a_destination_is_left_that_has_not_had_it()
    {
        var upstream = Of(3) with { Balance = Balance.Ordered };
        var exchange = Call();
        var left = new List<bool>();
        for (var i = 0; i < 3; i++)
        {
            var pass = _balancer.Choose(exchange, upstream, 0, out _)!.Value;
            exchange.Fail(Down);
            _balancer.Note(exchange, upstream, pass);
            left.Add(exchange.HasOtherDestination);
            exchange.ForgetAnswer();
        }

        Assert.Equal([true, true, false], left);

        Fail(upstream, 1, times: 5);
        Fail(upstream, 2, times: 5);
        var other = Call();
        other.Fail(Down);
        _balancer.Note(other, upstream, _balancer.Choose(other, upstream, 0, out _)!.Value);
        Assert.False(other.HasOtherDestination);
    }

    [Fact]
    public void Each_destinations_results_are_counted_beside_its_region()
    {
        var upstream = Of(2) with { Regions = ["eu", "us"] };
        Fail(upstream, 0, times: 2);
        Succeed(upstream, 1);

        Assert.Equal([("eu", 0L, 2L), ("us", 1L, 0L)], _balancer.All.Select(entry => (entry.Health.Region, entry.Health.Good, entry.Health.Bad)).Order());
    }

    [Fact]
    public void What_is_known_survives_a_reload()
    {
        Fail(Of(2), 1, times: 5);
        Assert.DoesNotContain(1, Chosen(Of(2)));
    }

    [Fact]
    public void Observed_one_that_would_be_left_out_keeps_its_turns_and_both_are_noted()
    {
        var upstream = Observed(3);
        var decisions = Enumerable.Range(0, 6).Select(_ => Observe(upstream, 1, exchange => exchange.Fail(Down))).ToList();

        // The fifth in a row would leave it out; what fails while it would be is no news.
        Assert.Equal(["", "", "", "", "ejection: destination_ejected", ""], decisions);
        Assert.Equal([(0, ""), (1, "ejection: destination_passed_over"), (2, "")], Enumerable.Range(0, 3).Select(_ => Choose(upstream)).Order());
        Assert.Equal(1, HealthOf(1).Ejected);

        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Contains((1, ""), Enumerable.Range(0, 3).Select(_ => Choose(upstream)));
    }

    [Fact]
    public void Observed_an_answer_while_it_would_be_left_out_changes_nothing_because_nobody_would_have_asked()
    {
        var upstream = Observed(2);
        Fail(upstream, 1, times: 5);
        Succeed(upstream, 1);
        _time.Advance(TimeSpan.FromSeconds(9.999));
        Assert.True(HealthOf(1).IsLeftOut(_time.GetTimestamp()));
        _time.Advance(TimeSpan.FromSeconds(0.001));
        Assert.Equal("ejection: destination_ejected", Observe(upstream, 1, exchange => exchange.Fail(Down)));

        // The second time is twice as long; then an answer forgives everything.
        _time.Advance(TimeSpan.FromSeconds(19.999));
        Assert.True(HealthOf(1).IsLeftOut(_time.GetTimestamp()));
        _time.Advance(TimeSpan.FromSeconds(0.001));
        Succeed(upstream, 1);
        Assert.Equal("", Observe(upstream, 1, exchange => exchange.Fail(Down)));
    }

    [Fact]
    public void Observed_the_first_of_ordered_ones_stays_the_first()
    {
        var upstream = Observed(2) with { Balance = Balance.Ordered };
        Fail(upstream, 0, times: 5);
        Assert.Equal((0, "ejection: destination_passed_over"), Choose(upstream));

        // When none answers, nobody would be passed over.
        Fail(upstream, 1, times: 5);
        Assert.Equal((0, ""), Choose(upstream));
    }

    [Fact]
    public void Observed_a_failed_exchange_may_go_on_to_one_that_would_be_left_out()
    {
        var upstream = Observed(2);
        Fail(upstream, 1, times: 5);
        var exchange = Call();
        exchange.Fail(Down);
        _balancer.Note(exchange, upstream, HealthOf(upstream, 0).Enter(0));
        Assert.True(exchange.HasOtherDestination);
    }

    [Fact]
    public void What_was_found_while_it_was_observed_is_in_force_as_soon_as_it_is_enforced()
    {
        Fail(Observed(2), 1, times: 5);
        Assert.DoesNotContain(1, Chosen(Of(2)));
    }

    private static Upstream Of(int destinations) => new()
    {
        Name = "api",
        Destinations = [.. Enumerable.Range(0, destinations).Select(i => new Destination("http", "127.0.0.1", 5000 + i))],
        Timeouts = UpstreamTimeouts.Default,
    };

    private static Upstream Observed(int destinations) => Of(destinations) with { Ejection = Ejection.Default with { IsObserved = true } };

    private static string Decisions(Exchange exchange) => string.Join(", ", exchange.Observed.Select(decision => $"{decision.Policy}: {decision.Code}"));

    private static Exchange Call() => new() { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = null! };

    private int Attempt(Exchange exchange, Upstream upstream, Action<Exchange> result)
    {
        var pass = _balancer.Choose(exchange, upstream, 0, out _)!.Value;
        result(exchange);
        _balancer.Note(exchange, upstream, pass);
        exchange.ForgetAnswer();
        return pass.Index;
    }

    private DestinationHealth HealthOf(int index) => _balancer.All.Single(entry => entry.Destination.Port == 5000 + index).Health;

    private (int Index, string Decisions) Choose(Upstream upstream)
    {
        var exchange = Call();
        var pass = _balancer.Choose(exchange, upstream, 0, out _)!.Value;
        if (pass.IsProbe)
        {
            _balancer.Abandon(upstream, pass);
        }

        return (pass.Index, Decisions(exchange));
    }

    private List<int> Chosen(Upstream upstream) => [.. Enumerable.Range(0, 6).Select(_ => Choose(upstream).Index)];

    private DestinationHealth HealthOf(Upstream upstream, int index) => _balancer.HealthOf(upstream, index);

    private DestinationPass Take(Upstream upstream, int index)
    {
        Assert.True(HealthOf(upstream, index).TryEnter(index, _time.GetTimestamp(), out var pass));
        return pass;
    }

    /// <summary>The one attempt that finds out whether it is back.</summary>
    private void Probe(Upstream upstream, int index, Action<Exchange> result)
    {
        var pass = Take(upstream, index);
        Assert.True(pass.IsProbe);
        Assert.False(HealthOf(upstream, index).HasRoom(_time.GetTimestamp()));
        Note(upstream, pass, result);
    }

    private void Note(Upstream upstream, DestinationPass pass, Action<Exchange> result)
    {
        var exchange = Call();
        result(exchange);
        _balancer.Note(exchange, upstream, pass);
    }

    private void Fail(Upstream upstream, int index, int times)
    {
        for (var i = 0; i < times; i++)
        {
            Note(upstream, index, exchange => exchange.Fail(Down));
        }
    }

    private void Succeed(Upstream upstream, int index) => Note(upstream, index, exchange => exchange.Answer(Outcome.Forwarded, 200));

    private void Note(Upstream upstream, int index, Action<Exchange> result) => Observe(upstream, index, result);

    private string Observe(Upstream upstream, int index, Action<Exchange> result)
    {
        var exchange = Call();
        result(exchange);
        _balancer.Note(exchange, upstream, HealthOf(upstream, index).Enter(index));
        return Decisions(exchange);
    }
}
