using System.Net;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Shares;
using Xunit;

namespace Tidegate.Tests.Policies.Limits.Shares;

/// <summary>What is promised to classes that share a count, against any behaviour of the others, on a clock that only the test moves.</summary>
public sealed class SharedCountTests
{
    private const long Second = 1_000_000_000;
    private const long Step = Second / 10;
    private const int Production = 0;
    private const int Batch = 1;
    private const int Others = 2;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 60)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void However_classes_ask_the_whole_is_never_more_than_the_amount_in_any_period(int seed)
    {
        var random = new Random(seed);
        var shared = Rate(amount: random.Next(10, 200), (0.1 * random.Next(0, 6), 1), (0.1 * random.Next(0, 5), 0.1 * random.Next(5, 11)), (0, 1));
        var taken = new List<(long At, int Class, long Cost)>();
        var cell = default(LimitCell);
        for (var (i, now) = (0, Second); i < 3_000; i++)
        {
            now += random.NextInt64(0, 2 * Step);
            var (who, cost) = (random.Next(3), random.Next(8) == 0 ? random.Next(1, 6) : 1);
            if (shared.Classes[who].Take(ref cell, cost, now) == 0)
            {
                taken.Add((now, who, cost));
                if (random.Next(20) == 0)
                {
                    shared.Classes[who].Give(ref cell, cost, now, now);
                    taken.RemoveAt(taken.Count - 1);
                }
            }
        }

        for (var last = 0; last < taken.Count; last++)
        {
            var within = taken.Take(last + 1).Reverse().TakeWhile(one => one.At > taken[last].At - Second).ToList();
            Assert.True(within.Sum(one => one.Cost) <= Amount(shared), $"{within.Sum(one => one.Cost)} of {Amount(shared)}");
            for (var i = 0; i < 3; i++)
            {
                Assert.True(within.Where(one => one.Class == i).Sum(one => one.Cost) <= shared.Classes[i].Max);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_class_that_asks_gets_its_guarantee_in_every_period_whatever_others_do(int seed)
    {
        var random = new Random(seed);
        var shared = Rate(amount: 100, (0.1 * random.Next(1, 7), 1), (0.1 * random.Next(0, 4), 1), (0, 1));
        var cell = default(LimitCell);
        var got = new List<(long At, long Count)>();
        var begins = (20 + random.Next(30)) * Step;
        var ends = begins + (60 * Step);
        for (var now = Second; now <= ends; now += Step)
        {
            // Others come first, as many as they like, and sometimes have already taken everything there is when production begins.
            foreach (var greedy in random.Next(2) == 0 ? (int[])[Batch, Others] : [Others, Batch])
            {
                for (var wanted = random.Next(3) == 0 ? 200 : random.Next(20); wanted > 0 && shared.Classes[greedy].Take(ref cell, 1, now) == 0; wanted--)
                {
                }
            }

            var count = 0L;
            while (now >= begins && shared.Classes[Production].Take(ref cell, 1, now) == 0)
            {
                count++;
            }

            got.Add((now, count));
        }

        for (var from = begins; from + Second <= ends; from += Step)
        {
            var within = got.Where(one => one.At > from && one.At <= from + Second).Sum(one => one.Count);
            Assert.True(within >= shared.Classes[Production].Guaranteed, $"{within} of {shared.Classes[Production].Guaranteed} within the second after {from}");
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Two_classes_that_both_ask_both_get_their_guarantees(int seed)
    {
        var random = new Random(seed);
        var shared = Rate(amount: 100, (0.5, 1), (0.3, 1), (0, 1));
        var cell = default(LimitCell);
        var got = new long[3];
        var begins = new[] { 30 * Step, (30 + random.Next(20)) * Step, Second };
        const long Ends = 200 * Step;
        for (var now = Second; now <= Ends; now += Step)
        {
            foreach (var who in Enumerable.Range(0, 3).OrderBy(_ => random.Next()))
            {
                while (now >= begins[who] && shared.Classes[who].Take(ref cell, 1, now) == 0)
                {
                    got[who] += now > 60 * Step ? 1 : 0;
                }
            }
        }

        // Fourteen seconds, of which the first may still have been lent out.
        Assert.True(got[Production] >= 13 * 50, $"production {got[Production]}");
        Assert.True(got[Batch] >= 13 * 30, $"batch {got[Batch]}");
        Assert.InRange(got.Sum(), 13 * 100, 14 * 100);
    }

    [Fact]
    public void What_nobody_asks_for_is_lent_up_to_the_max()
    {
        var shared = Rate(amount: 100, (0.7, 1), (0.1, 0.9), (0, 1));
        var cell = default(LimitCell);

        Assert.Equal(90, TakeAll(shared, ref cell, Batch, Second));
        Assert.Equal(10, TakeAll(shared, ref cell, Others, Second));
    }

    [Fact]
    public void What_is_lent_comes_back_as_soon_as_its_owner_wants_it()
    {
        var shared = Rate(amount: 100, (0.7, 1), (0, 1), (0, 1));
        var cell = default(LimitCell);
        Assert.Equal(100, TakeAll(shared, ref cell, Batch, Second));

        // Refused, and told when the first of it is free again; from then on batch gets nothing of production's.
        Assert.Equal(Second / 2, shared.Classes[Production].Take(ref cell, 1, Second + (Second / 2)));
        Assert.Equal(30, TakeAll(shared, ref cell, Batch, 2 * Second));
        Assert.Equal(70, TakeAll(shared, ref cell, Production, 2 * Second));
    }

    [Fact]
    public void An_even_load_of_a_class_never_meets_a_refusal_however_greedy_another_is()
    {
        var shared = Rate(amount: 100, (0.7, 1), (0, 1), (0, 1));
        var cell = default(LimitCell);
        var (refused, batch) = (0, 0);
        for (var now = Second; now < 21 * Second; now += Step)
        {
            batch += TakeAll(shared, ref cell, Batch, now);
            for (var i = 0; i < 2; i++)
            {
                // Two each time: twenty a second. In the first second it has not been seen yet.
                refused += shared.Classes[Production].Take(ref cell, 1, now) > 0 && now > 3 * Second ? 1 : 0;
            }
        }

        Assert.Equal(0, refused);
        Assert.True(batch > 20 * 75, $"{batch}: what production leaves is used");
    }

    [Fact]
    public void A_class_that_was_refused_and_does_not_come_back_leaves_everything_two_seconds_after_it_could_have_passed()
    {
        var shared = Rate(amount: 100, (0.7, 1), (0, 1), (0, 1));
        var cell = default(LimitCell);
        TakeAll(shared, ref cell, Batch, Second);
        TakeAll(shared, ref cell, Production, Second);

        Assert.Equal(30, TakeAll(shared, ref cell, Batch, 3 * Second));
        Assert.Equal(100, TakeAll(shared, ref cell, Batch, (4 * Second) + 1));
    }

    [Fact]
    public void A_class_that_falls_silent_leaves_everything_two_periods_after_it_last_had_something()
    {
        var shared = Rate(amount: 100, (0.7, 1), (0, 1), (0, 1));
        var cell = default(LimitCell);
        TakeAll(shared, ref cell, Production, Second, 50);

        Assert.Equal(50, TakeAll(shared, ref cell, Batch, Second));
        Assert.Equal(50, TakeAll(shared, ref cell, Batch, 2 * Second));
        Assert.Equal(100, TakeAll(shared, ref cell, Batch, 4 * Second));
    }

    [Theory]
    [InlineData(nameof(LimitKind.TokenBucket))]
    [InlineData(nameof(LimitKind.Concurrency))]
    public void Buckets_and_places_in_flight_keep_the_guarantee_too(string kindName)
    {
        var kind = Enum.Parse<LimitKind>(kindName);
        var random = new Random(7);
        var shared = Count(new LimitSettings { Name = "x", Kind = kind, Amount = 100, Period = TimeSpan.FromSeconds(1), Burst = 20, Text = "x" }, (0.7, 1), (0.1, 1), (0, 1));
        var cell = default(LimitCell);
        var got = new long[3];
        var holding = new Queue<(long Until, int Class)>();
        for (var now = Second; now < 61 * Second; now += Step / 10)
        {
            while (kind == LimitKind.Concurrency && holding.TryPeek(out var held) && held.Until <= now)
            {
                holding.Dequeue();
                shared.Classes[held.Class].Give(ref cell, 1, held.Until - Second, now);
            }

            foreach (var who in Enumerable.Range(0, 3).OrderByDescending(_ => random.Next()))
            {
                while (shared.Classes[who].Take(ref cell, 1, now) == 0)
                {
                    got[who] += now > 11 * Second ? 1 : 0;
                    holding.Enqueue((now + Second, who));
                }
            }
        }

        // Fifty seconds of a hundred each: a hundred a second from the bucket, and a hundred places that each is held for a second.
        Assert.True(got[Production] >= 49 * 70, $"{got[Production]}");
        Assert.True(got[Batch] >= 49 * 10, $"{got[Batch]}");
        Assert.InRange(got.Sum(), 49 * 100, 51 * 100);
    }

    [Fact]
    public void A_bucket_with_one_active_class_gives_it_its_max_and_no_more()
    {
        var shared = Count(new LimitSettings { Name = "x", Kind = LimitKind.TokenBucket, Amount = 100, Period = TimeSpan.FromSeconds(1), Burst = 20, Text = "x" }, (0.7, 1), (0.1, 0.5), (0, 1));
        var cell = default(LimitCell);
        var batch = 0;
        for (var now = Second; now < 11 * Second; now += Step / 10)
        {
            batch += TakeAll(shared, ref cell, Batch, now);
        }

        Assert.InRange(batch, 495, 510);
    }

    [Fact]
    public void A_quota_keeps_what_is_guaranteed_until_its_period_ends()
    {
        var shared = Count(new LimitSettings { Name = "x", Kind = LimitKind.Quota, Amount = 1_000, Calendar = new CalendarPeriod(CalendarUnit.Month, TimeZoneInfo.Utc), Text = "x" }, (0.7, 1), (0.1, 1), (0, 1));
        var cell = default(LimitCell);

        Assert.Equal(300, TakeAll(shared, ref cell, Batch, Second));
        Assert.Equal(700, TakeAll(shared, ref cell, Production, Second));
        Assert.Equal(0, TakeAll(shared, ref cell, Others, Second));
    }

    [Fact]
    public void Exchanges_belong_to_the_class_of_their_value_and_all_others_to_the_last()
    {
        var shared = Rate(amount: 100, (0.7, 1), (0.1, 1), (0, 1));

        Assert.Equal([Production, Batch, Others, Others], ((string?[])["production", "batch", "test", null]).Select(environment => shared.ClassOf(
            new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = null!, Consumer = new Consumer("c", "t", environment ?? "") })));
    }

    [Fact]
    public void Another_configuration_finds_what_was_counted_in_all_and_by_class()
    {
        var before = Rate(amount: 100, (0.7, 1), (0, 1), (0, 1));
        var after = Rate(amount: 100, (0.5, 1), (0, 0.4), (0, 1));
        var plain = new SlidingWindow(100, Second);
        var cell = default(LimitCell);
        TakeAll(before, ref cell, Batch, Second, 30);
        TakeAll(before, ref cell, Production, Second, 20);

        Assert.Equal((30, 20, 50), (after.Classes[Batch].Used(ref cell, Second), after.Classes[Production].Used(ref cell, Second), plain.Used(ref cell, Second)));
        plain.Charge(ref cell, 10, Second + Step);
        Assert.Equal(10, TakeAll(after, ref cell, Batch, Second + Step));
        Assert.Equal(30, TakeAll(after, ref cell, Production, Second + Step));
        Assert.Equal(100, plain.Used(ref cell, Second + Step));
    }

    [Fact]
    public void What_a_reload_found_in_flight_ends_without_taking_away_what_a_new_class_has()
    {
        var settings = new LimitSettings { Name = "x", Kind = LimitKind.Concurrency, Amount = 10, Text = "x" };
        var before = Of(settings, new("production", 0.5, 1), new(ShareTerms.Others, 0, 1));
        var after = Of(settings, new("production", 0.5, 1), new("batch", 0, 0.3), new(ShareTerms.Others, 0, 1));
        var cell = default(LimitCell);
        TakeAll(before, ref cell, Production, Second, 2);
        TakeAll(before, ref cell, Batch, Second, 1);
        Assert.Equal(3, TakeAll(after, ref cell, Batch, Second + Step));

        before.Classes[Production].Give(ref cell, 1, Second, Second + (2 * Step));
        before.Classes[1].Give(ref cell, 1, Second, Second + (2 * Step));
        Assert.Equal(0, before.Classes[Production].Take(ref cell, 1, Second + (2 * Step)));

        Assert.Equal((2, 3, 0), (after.Classes[Production].Used(ref cell, Second), after.Classes[Batch].Used(ref cell, Second), after.Classes[Others].Used(ref cell, Second)));
        Assert.Equal(0, TakeAll(after, ref cell, Batch, Second + (2 * Step)));
    }

    [Fact]
    public void What_each_class_has_of_a_quota_outlives_the_process()
    {
        var quota = new LimitSettings { Name = "x", Kind = LimitKind.Quota, Amount = 100, Calendar = new CalendarPeriod(CalendarUnit.Month, TimeZoneInfo.Utc), Text = "x" };
        var shares = new ShareSettings(new KeyPart(KeyPartKind.Environment), [new("production", 0.7, 1), new("batch", 0.1, 1), new(ShareTerms.Others, 0, 1)]);
        var changed = new List<SavedCount>();
        var first = new LimitStore(TimeProvider.System, 7, []);
        var limit = new Limit(quota with { Shares = shares }, "api", first.Secret, first.Time);
        Assert.Equal(0, first.Cells.Take(limit.AlgorithmOf(Batch), limit.OnlyKey, 25, Second));
        first.Cells.TakeChanged(changed);

        var second = new LimitStore(TimeProvider.System, 7, new(changed.Where(count => count.Runs.Count > 0).ToDictionary(count => count.Key, count => count.Runs)));
        Assert.Equal(0, second.Cells.Take(limit.AlgorithmOf(Batch), limit.OnlyKey, 5, Second));
        Assert.NotEqual(0, second.Cells.Take(limit.AlgorithmOf(Batch), limit.OnlyKey, 1, Second));
        Assert.Equal(30, second.Cells.Used(limit.AlgorithmOf(Batch), limit.OnlyKey, Second));
        Assert.Equal(0, second.Cells.Take(limit.AlgorithmOf(Production), limit.OnlyKey, 70, Second));
    }

    private static long Amount(SharedCount shared) => shared.Classes[Others].Max;

    private static int TakeAll(SharedCount shared, ref LimitCell cell, int who, long now, int atMost = int.MaxValue)
    {
        var count = 0;
        while (count < atMost && shared.Classes[who].Take(ref cell, 1, now) == 0)
        {
            count++;
        }

        return count;
    }

    private static SharedCount Rate(long amount, params (double Guaranteed, double Max)[] classes) =>
        Count(new LimitSettings { Name = "x", Kind = LimitKind.Rate, Amount = amount, Period = TimeSpan.FromSeconds(1), Text = "x" }, classes);

    /// <summary>As a limit makes it, with a clock of a billion ticks a second.</summary>
    private static SharedCount Count(LimitSettings settings, params (double Guaranteed, double Max)[] classes)
    {
        string[] values = ["production", "batch", ShareTerms.Others];
        return Of(settings, [.. classes.Select((terms, i) => new ShareTerms(values[i], terms.Guaranteed, terms.Max))]);
    }

    private static SharedCount Of(LimitSettings settings, params ShareTerms[] classes)
    {
        var shares = new ShareSettings(new KeyPart(KeyPartKind.Environment), classes);
        LimitAlgorithm whole = settings.Kind switch
        {
            LimitKind.Rate => new SlidingWindow(settings.Amount, Second),
            LimitKind.TokenBucket => new TokenBucket(settings.Amount, Second, settings.Burst),
            LimitKind.Quota => new CalendarWindow(settings.Amount, settings.Calendar!, TimeProvider.System),
            _ => new ConcurrencyLimit(settings.Amount),
        };
        return new SharedCount(settings, shares, whole, Second, 100, TimeProvider.System);
    }
}
