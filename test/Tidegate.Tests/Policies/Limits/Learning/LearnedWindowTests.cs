using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Learning;
using Tidegate.Policies.Limits.Signals;
using Xunit;

namespace Tidegate.Tests.Policies.Limits.Learning;

/// <summary>One tick is one millisecond here.</summary>
public sealed class LearnedWindowTests
{
    private const long Second = 1_000;

    private readonly LearnedWindow _window = new(Second);
    private LimitCell _cell;
    private long _now = 1_000_000;

    [Fact]
    public void Nothing_is_held_back_while_nothing_is_known()
    {
        for (var i = 0; i < 1_000; i++)
        {
            Assert.Equal(0, Take());
        }
    }

    [Fact]
    public void After_nothing_is_left_nothing_passes_before_the_reset()
    {
        Take();
        Answer(remaining: 0, resetSeconds: 30);

        Assert.Equal(30 * Second, Take());
        _now += (30 * Second) - 1;
        Assert.Equal(1, Take());
        _now++;
        Assert.Equal(0, Take());
    }

    [Fact]
    public void After_so_much_is_left_at_most_so_many_more_pass()
    {
        Take();
        Answer(remaining: 7, resetSeconds: 30);
        Assert.Equal(7, Enumerable.Range(0, 100).Count(_ => Take() == 0));
    }

    [Fact]
    public void What_was_in_flight_when_the_window_became_known_counts()
    {
        var window = new LearnedWindow(Second).Following(5);
        window.Learn(Reading(8, 30), cost: 1, sent: _now, _now);

        // Four others may not be in the eight.
        Assert.Equal(4, Enumerable.Range(0, 100).Count(_ => window.Take(ref _cell, 1, _now) == 0));
    }

    [Fact]
    public void A_late_answer_that_knows_less_raises_nothing()
    {
        for (var i = 0; i < 10; i++)
        {
            Take();
        }

        Answer(remaining: 2, resetSeconds: 30);
        Answer(remaining: 9, resetSeconds: 30);
        Answer(remaining: 5, resetSeconds: 31);
        Assert.Equal(2, _window.Remaining(_now));
    }

    [Fact]
    public void The_next_window_is_known_by_its_reset_even_before_the_old_one_was_thought_to_end()
    {
        Take();
        Answer(remaining: 1, resetSeconds: 2);
        Take();
        _now += Second;
        Answer(remaining: 99, resetSeconds: 60);
        Assert.Equal(99, _window.Remaining(_now));
    }

    [Fact]
    public void An_answer_without_a_word_takes_one_off()
    {
        Take();
        Answer(remaining: 3, resetSeconds: 30);
        Take();
        _window.Answered(1, _now);
        Assert.Equal(2, _window.Remaining(_now));
    }

    [Fact]
    public void A_bucket_gives_one_at_a_time_as_it_refills()
    {
        Take();
        Answer(remaining: 0, resetSeconds: 60, limit: 60, refills: true);

        Assert.Equal(Second, Take());
        _now += 3 * Second;
        Assert.Equal(3, Enumerable.Range(0, 10).Count(_ => Take() == 0));
        _now += 1_000 * Second;
        Assert.Equal(57, Enumerable.Range(0, 100).Count(_ => Take() == 0));
    }

    [Fact]
    public void Of_tokens_a_request_is_taken_to_need_as_many_as_the_largest_of_late_and_half_of_it_more()
    {
        Take();
        Answer(remaining: 10_000, resetSeconds: 60, limit: 10_000, unit: SignalUnit.Tokens);
        Take();
        Answer(remaining: 8_000, resetSeconds: 60, limit: 10_000, unit: SignalUnit.Tokens);
        Take();
        Answer(remaining: 7_900, resetSeconds: 60, limit: 10_000, unit: SignalUnit.Tokens);
        Assert.Equal(2, Enumerable.Range(0, 10).Count(_ => Take() == 0));
    }

    [Fact]
    public void What_several_took_together_is_not_what_one_takes()
    {
        Take();
        Answer(remaining: 10_000, resetSeconds: 60, limit: 10_000, unit: SignalUnit.Tokens);
        for (var i = 0; i < 4; i++)
        {
            Take();
        }

        Answer(remaining: 6_000, resetSeconds: 60, limit: 10_000, unit: SignalUnit.Tokens);

        // Three are in flight, each of 1250 at most.
        Assert.Equal(1, Enumerable.Range(0, 10).Count(_ => Take() == 0));
    }

    [Fact]
    public void Tokens_that_a_provider_gives_back_may_be_used()
    {
        Take();
        Answer(remaining: 10_000, resetSeconds: 0, limit: 10_000, refills: true, unit: SignalUnit.Tokens, periodSeconds: 10_000);
        Take();
        Answer(remaining: 2_000, resetSeconds: 0, limit: 10_000, refills: true, unit: SignalUnit.Tokens, periodSeconds: 10_000);
        Assert.Equal(2_000, _window.Remaining(_now));

        // It was charged 8000 and took 1000: the next answer says so. Nobody was answered meanwhile.
        _now++;
        Take();
        _now++;
        Answer(remaining: 8_000, resetSeconds: 0, limit: 10_000, refills: true, unit: SignalUnit.Tokens, periodSeconds: 10_000, sentBefore: 1);
        Assert.Equal(8_000, _window.Remaining(_now));
    }

    [Fact]
    public void But_not_what_others_may_have_taken_that_were_answered_since_it_was_sent()
    {
        Take();
        Answer(remaining: 10_000, resetSeconds: 0, limit: 10_000, refills: true, unit: SignalUnit.Tokens, periodSeconds: 10_000);
        Take();
        Answer(remaining: 6_000, resetSeconds: 0, limit: 10_000, refills: true, unit: SignalUnit.Tokens, periodSeconds: 10_000);
        Take();
        Answer(remaining: 2_000, resetSeconds: 0, limit: 10_000, refills: true, unit: SignalUnit.Tokens, periodSeconds: 10_000);
        _window.Charge(ref _cell, 1, _now);

        // Sent before the last answer came: that call may have taken its 5000 after the provider said this.
        _now++;
        Answer(remaining: 9_000, resetSeconds: 0, limit: 10_000, refills: true, unit: SignalUnit.Tokens, periodSeconds: 10_000, sentBefore: 2);
        Assert.InRange(_window.Remaining(_now), 2_000, 4_001);
    }

    [Fact]
    public void A_slow_call_that_was_sent_long_ago_says_nothing_of_what_requests_take()
    {
        Tokens(1_000_000, sentBefore: 0);
        Take();
        var slow = _now++;
        for (var left = 990_000; left >= 700_000; left -= 10_000)
        {
            Take();
            Tokens(left, sentBefore: 0);
            _now++;
        }

        Tokens(990_000, sentBefore: _now - slow);
        Take();
        Tokens(690_000, sentBefore: 0);

        // Each is taken to need 15 000, and not the 300 000 between what the slow one said and what came next.
        Assert.Equal(46, Enumerable.Range(0, 100).Count(_ => Take() == 0));
    }

    [Fact]
    public void What_somebody_else_took_of_the_same_account_is_soon_forgotten()
    {
        Tokens(1_000_000, sentBefore: 0);
        for (var left = 990_000; left >= 900_000; left -= 10_000)
        {
            Take();
            Tokens(left, sentBefore: 0);
            _now++;
        }

        // 290 000 of these are another's: it may be a large request too, so it holds back for some answers, and not by all of it.
        Take();
        Tokens(600_000, sentBefore: 0);
        Assert.InRange(Passing(), 6, 20);
        for (var left = 599_000; left >= 535_000; left -= 1_000)
        {
            Take();
            Tokens(left, sentBefore: 0);
            _now++;
        }

        Assert.InRange(Passing(), 350, 535);

        int Passing()
        {
            var passing = Enumerable.Range(0, 1_000).Count(_ => Take() == 0);
            for (var i = 0; i < passing; i++)
            {
                _window.Give(ref _cell, 1, _now, _now);
            }

            return passing;
        }
    }

    [Fact]
    public void Whatever_order_answers_come_in_no_more_pass_than_the_provider_allows()
    {
        var random = new Random(11);
        for (var round = 0; round < 300; round++)
        {
            var window = new LearnedWindow(Second);
            var limit = random.Next(1, 40);
            var used = 0;
            var inFlight = new List<long>();
            var isKnown = false;
            for (var step = 0; step < 400; step++)
            {
                if (random.Next(2) == 0 && (isKnown || inFlight.Count == 0))
                {
                    if (window.Take(ref _cell, 1, _now) == 0)
                    {
                        used++;
                        inFlight.Add(Math.Max(0, limit - used));
                    }
                }
                else if (inFlight.Count > 0)
                {
                    var answer = random.Next(inFlight.Count);
                    window.Learn(Reading(inFlight[answer], 3_000, limit), cost: 1, sent: _now, _now);
                    inFlight.RemoveAt(answer);
                    isKnown = true;
                }

                _now += random.Next(3);
            }

            Assert.InRange(used, 1, limit);
        }
    }

    private static SignalWindow Reading(long remaining, int resetSeconds, long limit = SignalWindow.Unknown, bool refills = false, SignalUnit unit = SignalUnit.Requests, int? periodSeconds = null) =>
        new() { Limit = limit, Remaining = remaining, ResetTicks = TimeSpan.FromSeconds(resetSeconds).Ticks, PeriodTicks = periodSeconds is { } period ? TimeSpan.FromSeconds(period).Ticks : SignalWindow.Unknown, Refills = refills, Unit = unit };

    private void Tokens(long remaining, long sentBefore) =>
        Answer(remaining, resetSeconds: 3_000, limit: 1_000_000, unit: SignalUnit.Tokens, sentBefore: sentBefore);

    private long Take() => _window.Take(ref _cell, 1, _now);

    private void Answer(long remaining, int resetSeconds, long limit = SignalWindow.Unknown, bool refills = false, SignalUnit unit = SignalUnit.Requests, int? periodSeconds = null, long sentBefore = 0) =>
        _window.Learn(Reading(remaining, resetSeconds, limit, refills, unit, periodSeconds), cost: 1, sent: _now - sentBefore, _now);
}
