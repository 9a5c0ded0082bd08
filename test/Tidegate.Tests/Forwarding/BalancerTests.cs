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
        Assert.Equal([0, 1, 2, 0, 1, 2], Enumerable.Range(0, 6).Select(_ => _balancer.Choose(Call(), upstream)));
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
            Assert.Contains(1, Chosen(upstream));

            // Its turn came, and it failed again.
            Fail(upstream, 1, times: 1);
        }
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
        Fail(upstream, 1, times: 1);
        Assert.Equal((TimeSpan.Zero, TimeSpan.FromSeconds(20)), health.EjectedFor(_time.GetTimestamp()));
        Assert.Equal(6, health.FailuresInRow);
        Succeed(upstream, 1);
        Assert.Equal(0, health.FailuresInRow);
    }

    [Fact]
    public void An_answer_forgives_everything()
    {
        var upstream = Of(2);
        Fail(upstream, 1, times: 5);
        _time.Advance(TimeSpan.FromSeconds(10));
        Succeed(upstream, 1);
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
            var index = _balancer.Choose(exchange, upstream);
            exchange.Fail(Down);
            _balancer.Note(exchange, upstream, index);
            left.Add(exchange.HasOtherDestination);
            exchange.ForgetAnswer();
        }

        Assert.Equal([true, true, false], left);

        Fail(upstream, 1, times: 5);
        Fail(upstream, 2, times: 5);
        var other = Call();
        other.Fail(Down);
        _balancer.Note(other, upstream, _balancer.Choose(other, upstream));
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
        Assert.True(HealthOf(1).IsEjected(_time.GetTimestamp()));
        _time.Advance(TimeSpan.FromSeconds(0.001));
        Assert.Equal("ejection: destination_ejected", Observe(upstream, 1, exchange => exchange.Fail(Down)));

        // The second time is twice as long; then an answer forgives everything.
        _time.Advance(TimeSpan.FromSeconds(19.999));
        Assert.True(HealthOf(1).IsEjected(_time.GetTimestamp()));
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
        _balancer.Note(exchange, upstream, 0);
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
        var index = _balancer.Choose(exchange, upstream);
        result(exchange);
        _balancer.Note(exchange, upstream, index);
        exchange.ForgetAnswer();
        return index;
    }

    private DestinationHealth HealthOf(int index) => _balancer.All.Single(entry => entry.Destination.Port == 5000 + index).Health;

    private (int Index, string Decisions) Choose(Upstream upstream)
    {
        var exchange = Call();
        return (_balancer.Choose(exchange, upstream), Decisions(exchange));
    }

    private List<int> Chosen(Upstream upstream) => [.. Enumerable.Range(0, 6).Select(_ => _balancer.Choose(Call(), upstream))];

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
        _balancer.Note(exchange, upstream, index);
        return Decisions(exchange);
    }
}
