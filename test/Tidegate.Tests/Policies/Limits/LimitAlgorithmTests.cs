using Tidegate.Exchanges;
using Tidegate.Policies.Limits;
using Xunit;

namespace Tidegate.Tests.Policies.Limits;

/// <summary>Each way of counting against a naive model that remembers everything, on a clock that only the test moves.</summary>
public sealed class LimitAlgorithmTests
{
    private const long Second = 1_000_000_000;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 40)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_rate_never_lets_more_than_its_amount_pass_within_any_period(int seed)
    {
        var random = new Random(seed);
        var (amount, period) = (random.Next(1, 200), random.NextInt64(1, 100) * Second / 10);
        var window = new SlidingWindow(amount, period);
        var cell = default(LimitCell);
        var taken = new List<(long At, long Cost)>();
        for (var (i, now) = (0, 0L); i < 3_000; i++)
        {
            now += Step(random, period, amount);
            var cost = Math.Min(amount, random.Next(10) == 0 ? random.Next(1, 5) : 1);
            if (window.Take(ref cell, cost, now) == 0)
            {
                taken.Add((now, cost));
            }
        }

        var begin = 0;
        var inWindow = 0L;
        foreach (var (at, cost) in taken)
        {
            inWindow += cost;
            while (taken[begin].At <= at - period)
            {
                inWindow -= taken[begin++].Cost;
            }

            Assert.True(inWindow <= amount, $"{inWindow} of {amount} within a period that ends at {at}");
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_token_bucket_never_lets_more_pass_than_its_burst_and_what_time_has_added(int seed)
    {
        var random = new Random(seed);
        var (amount, burst) = (random.NextInt64(1, seed % 2 == 0 ? 2_000_000_000 : 1_000), (long)random.Next(1, 500));
        var period = random.NextInt64(1, 1_000_000) * Second / 10;
        var bucket = new TokenBucket(amount, period, burst);
        var cell = default(LimitCell);
        var model = new NaiveBucket(amount, period, burst);
        for (var (i, now) = (0, 0L); i < 3_000; i++)
        {
            now += Step(random, period, amount);
            var cost = random.NextInt64(1, Math.Min(burst, 5) + 1);
            if (bucket.Take(ref cell, cost, now) == 0)
            {
                Assert.True(model.MayTake(cost, now), $"{cost} tokens at {now}");
                model.Take(cost, now);
            }
        }
    }

    [Theory]
    [InlineData(100, 1)]
    [InlineData(3, 1)]
    [InlineData(1, 60)]
    [InlineData(1_000_000, 1)]
    [InlineData(5_000, 3_600)]
    [InlineData(300_000_000, 86_400)]
    public void Callers_who_wait_as_long_as_they_are_told_use_the_whole_amount(long amount, int periodSeconds)
    {
        const int Periods = 50;
        foreach (var algorithm in (LimitAlgorithm[])[new SlidingWindow(amount, periodSeconds * Second), new TokenBucket(amount, periodSeconds * Second, Math.Max(1, amount / 10))])
        {
            var cell = default(LimitCell);
            var (now, taken) = (0L, 0L);
            var cost = Math.Max(1, amount / 100);
            var end = Periods * periodSeconds * Second;
            while (now < end)
            {
                var wait = algorithm.Take(ref cell, cost, now);
                taken += wait == 0 ? cost : 0;
                now += wait;
            }

            Assert.True(taken >= amount * (Periods - 1) * 0.99, $"{algorithm.GetType().Name}: {taken} of {amount * Periods}");
            Assert.True(taken <= (amount * (Periods + 1)) + amount, $"{algorithm.GetType().Name}: {taken} of {amount * Periods}");
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void The_wait_that_is_told_is_enough_and_no_less_is(int seed)
    {
        var random = new Random(seed);
        var (amount, period) = (random.Next(1, 100), random.NextInt64(1, 600) * Second / 10);
        foreach (var algorithm in (LimitAlgorithm[])[new SlidingWindow(amount, period), new TokenBucket(amount, period, random.Next(1, amount + 1))])
        {
            var cell = default(LimitCell);
            for (var (i, now) = (0, 0L); i < 500; i++)
            {
                now += Step(random, period, amount);
                if (algorithm.Take(ref cell, 1, now) is > 0 and var wait)
                {
                    Assert.NotEqual(0, algorithm.Take(ref cell, 1, now + wait - 1));
                    Assert.Equal(0, algorithm.Take(ref cell, 1, now + wait));
                    now += wait;
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void What_is_given_back_can_be_taken_again_and_nothing_more(int seed)
    {
        var random = new Random(seed);
        var amount = random.Next(2, 50);
        foreach (var algorithm in (LimitAlgorithm[])[new SlidingWindow(amount, Second), new TokenBucket(amount, Second, amount), new ConcurrencyLimit(amount)])
        {
            var cell = default(LimitCell);
            var taken = 0;
            for (var i = 0; i < 500; i++)
            {
                if (random.Next(2) == 0)
                {
                    taken += algorithm.Take(ref cell, 1, Second) == 0 ? 1 : 0;
                }
                else if (taken > 0)
                {
                    algorithm.Give(ref cell, 1, Second, Second);
                    taken--;
                }

                Assert.InRange(taken, 0, amount);
                Assert.Equal(taken, algorithm.Used(ref cell, Second));
            }
        }
    }

    [Fact]
    public void What_no_longer_counts_is_not_given_back_out_of_what_others_took()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(new DateTimeOffset(2026, 11, 25, 10, 59, 59, TimeSpan.Zero));
        var hour = new CalendarWindow(10, new CalendarPeriod(CalendarUnit.Hour, TimeZoneInfo.Utc), time);
        foreach (var (algorithm, elapsed) in ((LimitAlgorithm, long)[])[(new SlidingWindow(10, Second), Second), (new TokenBucket(10, Second, 10), Second), (hour, time.TimestampFrequency * 2)])
        {
            var cell = default(LimitCell);
            var taken = time.GetTimestamp();
            Assert.Equal(0, algorithm.Take(ref cell, 5, taken));
            time.Advance(algorithm == hour ? TimeSpan.FromSeconds(2) : TimeSpan.Zero);
            var now = taken + elapsed;
            Assert.Equal(0, algorithm.Take(ref cell, 7, now));
            algorithm.Give(ref cell, 5, taken, now);

            Assert.Equal(7, algorithm.Used(ref cell, now));
        }
    }

    [Fact]
    public void What_a_call_gives_back_is_what_it_took_and_not_what_came_later()
    {
        var window = new SlidingWindow(100, Second);
        var cell = default(LimitCell);
        window.Take(ref cell, 10, 0);
        window.Take(ref cell, 20, Second / 2);
        window.Give(ref cell, 10, takenAt: 0, Second / 2);
        Assert.Equal(20, window.Used(ref cell, Second / 2));

        // What is left was taken in the middle, and counts until then.
        Assert.Equal(20, window.Used(ref cell, Second + (Second / 4)));
        Assert.Equal(0, window.Used(ref cell, Second + (Second / 2) + (Second / 50)));
    }

    [Fact]
    public void Numbers_of_another_meaning_are_another_count()
    {
        var time = TimeProvider.System;
        LimitSettings second = new() { Name = "l", Kind = LimitKind.TokenBucket, Amount = 10, Burst = 10, Period = TimeSpan.FromSeconds(1), Text = "" };
        LimitSettings month = new() { Name = "l", Kind = LimitKind.Quota, Amount = 10, Calendar = new CalendarPeriod(CalendarUnit.Month, TimeZoneInfo.Utc), Text = "" };
        Limit Of(LimitSettings settings) => new(settings, "api", 1, time);

        Assert.Equal(Of(second).OnlyKey, Of(second with { Burst = 20 }).OnlyKey);
        Assert.NotEqual(Of(second).OnlyKey, Of(second with { Period = TimeSpan.FromMinutes(1) }).OnlyKey);
        Assert.Equal(Of(month).OnlyKey, Of(month with { Amount = 20 }).OnlyKey);
        Assert.NotEqual(Of(month).OnlyKey, Of(month with { Calendar = new CalendarPeriod(CalendarUnit.Month, TimeZoneInfo.Utc, 15) }).OnlyKey);
        Assert.NotEqual(Of(month).OnlyKey, Of(month with { Calendar = new CalendarPeriod(CalendarUnit.Day, TimeZoneInfo.Utc) }).OnlyKey);
    }

    [Fact]
    public void However_long_what_a_caller_sends_is_it_tells_callers_apart()
    {
        LimitSettings settings = new() { Name = "l", Kind = LimitKind.Rate, Amount = 1, Period = TimeSpan.FromSeconds(1), Text = "" };
        var limit = new Limit(settings with { Per = [.. Enumerable.Repeat(new KeyPart(KeyPartKind.Header, "x-tenant"), Limit.MaxParts)] }, "api", 1, TimeProvider.System);
        var keys = ((int[])[0, 1, 63, 64, 65, 255, 256, 4_000, 8_000]).Select(length => limit.KeyOf(Call(new string('t', length)))).ToList();

        Assert.Equal(keys.Count, keys.Distinct().Count());
        Assert.Equal(keys[^1], limit.KeyOf(Call(new string('t', 8_000))));

        static Exchange Call(string tenant)
        {
            var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = System.Net.IPAddress.Loopback }, Client = null! };
            exchange.RequestHeaders.Add("x-tenant", tenant);
            return exchange;
        }
    }

    [Fact]
    public void A_key_is_the_same_whether_it_is_hashed_or_made_from_another_limits()
    {
        LimitSettings settings = new() { Name = "a", Kind = LimitKind.Rate, Amount = 1, Period = TimeSpan.FromSeconds(1), Text = "" };
        var first = new Limit(settings with { Per = [new KeyPart(KeyPartKind.Header, "x-tenant"), new KeyPart(KeyPartKind.Tenant)] }, "api", 1, TimeProvider.System);
        var alike = new Limit(settings with { Name = "b", Per = [new KeyPart(KeyPartKind.Header, "x-tenant"), new KeyPart(KeyPartKind.Tenant)] }, "api", 1, TimeProvider.System);
        var other = new Limit(settings with { Name = "c", Per = [new KeyPart(KeyPartKind.Header, "x-tenant"), new KeyPart(KeyPartKind.Host)] }, "api", 1, TimeProvider.System);
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = System.Net.IPAddress.Loopback }, Client = null! };
        exchange.RequestHeaders.Add("x-tenant", "acme");

        Assert.True(alike.IsAlike(first));
        Assert.False(other.IsAlike(first));
        Assert.NotEqual(first.KeyOf(exchange), alike.KeyOf(exchange));
        Assert.Equal(alike.KeyOf(exchange), alike.KeyLike(first, first.KeyOf(exchange)));
    }

    [Fact]
    public void What_costs_more_than_a_limit_ever_lets_pass_is_told_so()
    {
        foreach (var algorithm in (LimitAlgorithm[])[new SlidingWindow(10, Second), new TokenBucket(100, Second, 10), new ConcurrencyLimit(10)])
        {
            var cell = default(LimitCell);
            Assert.Equal(LimitAlgorithm.Never, algorithm.Take(ref cell, 11, Second));
            Assert.Equal(0, algorithm.Take(ref cell, 10, Second));
        }
    }

    [Fact]
    public void A_charge_beyond_the_amount_is_owed_before_anything_passes_again()
    {
        var window = new SlidingWindow(10, Second);
        var bucket = new TokenBucket(10, Second, 10);
        var (windowCell, bucketCell) = (default(LimitCell), default(LimitCell));
        window.Charge(ref windowCell, 30, 0);
        bucket.Charge(ref bucketCell, 30, 0);

        Assert.Equal(Second, window.Take(ref windowCell, 1, 0));
        Assert.Equal(21 * Second / 10, bucket.Take(ref bucketCell, 1, 0));
    }

    [Fact]
    public void A_cool_down_ends_at_the_latest_time_that_was_asked_for()
    {
        var coolDown = new CoolDown();
        var cell = default(LimitCell);
        coolDown.Charge(ref cell, 60 * Second, 0);
        coolDown.Charge(ref cell, Second, 0);

        Assert.Equal(50 * Second, coolDown.Take(ref cell, 1, 10 * Second));
        Assert.Equal(0, coolDown.Take(ref cell, 1, 60 * Second));
    }

    [Fact]
    public void Of_two_who_come_first_at_once_the_one_that_looked_at_the_clock_earlier_meets_no_cool_down()
    {
        var cells = new LimitCells(TimeProvider.System);
        var coolDown = new CoolDown();

        Assert.Equal(0, cells.Take(coolDown, 1, 1, 2 * Second));
        Assert.Equal(0, cells.Take(coolDown, 1, 1, Second));
        cells.Charge(coolDown, 1, Second, 2 * Second);
        Assert.Equal(2 * Second, cells.Take(coolDown, 1, 1, Second));
    }

    /// <summary>Mostly near what the limit lets pass, sometimes a burst, sometimes a pause.</summary>
    private static long Step(Random random, long period, long amount) => random.Next(10) switch
    {
        < 4 => 0,
        9 => random.NextInt64(period * 2),
        _ => random.NextInt64((period / amount * 2) + 2),
    };

    /// <summary>The same in exact fractions.</summary>
    private sealed class NaiveBucket(long amount, long period, long burst)
    {
        // In units of a token divided by the period.
        private Int128 _tokens = (Int128)burst * period;
        private long _at;

        public bool MayTake(long cost, long now)
        {
            _tokens = Int128.Min((Int128)burst * period, _tokens + ((Int128)(now - _at) * amount));
            _at = now;
            return _tokens >= (Int128)cost * period;
        }

        public void Take(long cost, long now)
        {
            _ = now;
            _tokens -= (Int128)cost * period;
        }
    }
}
