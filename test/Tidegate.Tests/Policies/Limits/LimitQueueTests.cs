using System.Net;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Shares;
using Xunit;

namespace Tidegate.Tests.Policies.Limits;

public sealed class LimitQueueTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly FakeTimeProvider _time = new();
    private readonly LimitStore _store;
    private readonly List<Exchange> _passed = [];

    public LimitQueueTests() => _store = new LimitStore(_time);

    public void Dispose() => _store.Dispose();

    [Fact]
    public async Task Whoever_finds_no_room_waits_and_passes_when_there_is_some()
    {
        var policy = Policy(Rate(10, TimeSpan.FromSeconds(1), maxWaitSeconds: 5));
        var calls = Enumerable.Range(0, 25).Select(_ => InvokeAsync(policy, Call("a"))).ToList();

        Assert.Equal(10, Passed());
        _time.Advance(TimeSpan.FromMilliseconds(999));
        Assert.Equal(10, Passed());
        _time.Advance(TimeSpan.FromMilliseconds(1));
        await UntilAsync(() => Passed() == 20);
        _time.Advance(TimeSpan.FromSeconds(1));
        await Task.WhenAll(calls).WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(25, Passed());
        Assert.Equal(0, policy.Queue!.Count);
    }

    [Fact]
    public async Task What_cannot_be_served_in_time_is_refused_at_once_with_an_honest_time()
    {
        var policy = Policy(Rate(1, TimeSpan.FromSeconds(1), maxWaitSeconds: 3));
        var calls = Enumerable.Range(0, 6).Select(_ => Call("a")).ToList();
        var waits = calls.Select(call => InvokeAsync(policy, call)).ToList();

        // One passes, three wait one, two and three seconds; for the fifth it would be four.
        Assert.All(calls[..4], call => Assert.Null(call.Rejection));
        Assert.All(calls[4..], call => Assert.Equal((429, "rate_limited"), (call.Rejection!.Status, call.Rejection.Code)));
        Assert.All(calls[4..], call => Assert.InRange(call.Rejection!.RetryAfter!.Value.TotalSeconds, 3, 4.1));
        for (var i = 2; i <= 4; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await UntilAsync(() => Passed() == i);
        }

        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Whoever_has_waited_too_long_is_told_how_long_it_would_still_be()
    {
        var policy = Policy(Rate(1, TimeSpan.FromSeconds(10), maxWaitSeconds: 30));
        await InvokeAsync(policy, Call("first"));
        var greedy = Enumerable.Range(0, 3).Select(_ => Call("greedy")).ToList();
        var waits = greedy.Select(call => InvokeAsync(policy, call)).ToList();
        waits.Add(InvokeAsync(policy, Call("modest")));
        waits.Add(InvokeAsync(policy, Call("modest-too")));
        await ServeAsync(30);
        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);

        // The third turn came now, and went to others.
        Assert.Equal([null, "waited_too_long", "waited_too_long"], greedy.Select(call => call.Rejection?.Code));
        Assert.All(greedy[1..], call => Assert.Equal(10, call.Rejection!.RetryAfter!.Value.TotalSeconds, 0.01));
    }

    [Fact]
    public async Task Behind_a_full_house_nobody_waits_in_vain_once_it_is_known_how_fast_places_come_back()
    {
        var policy = Policy(new LimitSettings { Name = "concurrency", Kind = LimitKind.Concurrency, Amount = 1, Text = "1", WhenExceeded = WhenExceeded.Queue, MaxWait = TimeSpan.FromSeconds(20) });
        var early = Enumerable.Range(0, 31).Select(_ => Call("a")).ToList();
        var waits = early.Select(call => InvokeAsync(policy, call)).ToList();

        // Nothing is known yet: all wait.
        Assert.Equal(30, policy.Queue!.Count);
        await EndAsync(17);

        // A place comes back each second. Thirteen still wait, of whom ten or eleven more will be served.
        var late = Enumerable.Range(0, 40).Select(_ => Call("a")).ToList();
        waits.AddRange(late.Select(call => InvokeAsync(policy, call)));
        Assert.Equal(12, late.Count(call => call.Rejection is null));
        Assert.All(late[12..], call => Assert.Equal(("too_many_in_flight", 26.0), (call.Rejection!.Code, Math.Round(call.Rejection.RetryAfter!.Value.TotalSeconds, 1))));

        await EndAsync(3);
        var tooLong = early.Where(call => call.Rejection is not null).ToList();
        Assert.InRange(tooLong.Count, 9, 11);
        Assert.All(tooLong, call => Assert.InRange(call.Rejection!.RetryAfter!.Value.TotalSeconds, 12, 14));
        await EndAsync(30);
        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);

        async Task EndAsync(int places)
        {
            for (var i = 0; i < places; i++)
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                _passed[^1].EndAnswer(downTo: 0);
                await SettleAsync();
            }
        }
    }

    [Fact]
    public async Task A_wait_that_is_over_before_it_began_leaves_nothing_with_the_client()
    {
        using var client = new CancellationTokenSource();
        var waiter = await WaitAsync();
        await UntilAsync(() =>
        {
            GC.Collect();
            return !waiter.IsAlive;
        });

        async Task<WeakReference> WaitAsync()
        {
            var call = Call("a");
            call.Aborted = client.Token;
            var waiter = new LimitWaiter(null!, null!, call) { Deadline = 0, Class = 0, Weight = 1, Flow = 0 };
            waiter.Decide(WaitResult.Admitted);
            waiter.Resume();
            await UntilAsync(() => ((System.Threading.Tasks.Sources.IValueTaskSource<WaitResult>)waiter).GetStatus(0) == System.Threading.Tasks.Sources.ValueTaskSourceStatus.Succeeded);
            Assert.Equal(WaitResult.Admitted, await waiter.WaitAsync());
            return new WeakReference(waiter);
        }
    }

    [Fact]
    public async Task Nobody_waits_for_longer_than_there_is_time_for_the_call()
    {
        var policy = Policy(QueueSettings.Default with { Total = TimeSpan.FromSeconds(3) }, Rate(1, TimeSpan.FromSeconds(2), maxWaitSeconds: 60));
        var calls = Enumerable.Range(0, 3).Select(_ => Call("a")).ToList();
        _time.Advance(TimeSpan.FromSeconds(1));
        foreach (var call in calls)
        {
            call.Timings.Received = _time.GetTimestamp();
        }

        _time.Advance(TimeSpan.FromMilliseconds(500));
        var waits = calls.Select(call => InvokeAsync(policy, call)).ToList();

        // Half a second is gone: two more seconds are there in time, and four would not be.
        Assert.Equal((0, 1, 0), (calls[0].QueuePosition, calls[1].QueuePosition, calls[2].QueuePosition));
        Assert.Null(calls[1].Rejection);
        Assert.Equal("rate_limited", calls[2].Rejection!.Code);
        Assert.InRange(calls[2].Rejection!.RetryAfter!.Value.TotalSeconds, 3.9, 4.1);
        _time.Advance(TimeSpan.FromSeconds(2));
        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(2, Passed());
    }

    [Fact]
    public async Task What_must_not_wait_passes_where_there_is_room_and_goes_past_nobody()
    {
        var policy = Policy(Rate(1, TimeSpan.FromSeconds(10), maxWaitSeconds: 60) with { Per = [new KeyPart(KeyPartKind.Consumer)] });
        await InvokeAsync(policy, Call("a"));
        var waits = InvokeAsync(policy, Call("a"));
        Assert.Equal(1, policy.Queue!.Count);

        // Others wait, but not for what it needs.
        var other = Call("b");
        other.MustNotQueue = true;
        await InvokeAsync(policy, other);
        Assert.Null(other.Rejection);

        var behind = Call("a");
        behind.MustNotQueue = true;
        await InvokeAsync(policy, behind);
        Assert.Equal("rate_limited", behind.Rejection!.Code);
        Assert.InRange(behind.Rejection.RetryAfter!.Value.TotalSeconds, 19.9, 20.1);
        Assert.Equal(1, policy.Queue.Count);

        _time.Advance(TimeSpan.FromSeconds(10));
        await waits.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(3, Passed());
    }

    [Fact]
    public async Task A_client_that_leaves_leaves_the_queue_at_once()
    {
        var policy = Policy(Rate(1, TimeSpan.FromSeconds(1), maxWaitSeconds: 60));
        using var leaving = new CancellationTokenSource();
        await InvokeAsync(policy, Call("a"));
        var left = Call("a");
        left.Aborted = leaving.Token;
        var leftWait = InvokeAsync(policy, left);
        var stays = InvokeAsync(policy, Call("b"));

        await leaving.CancelAsync();
        await leftWait.WaitAsync(Patience, TestContext.Current.CancellationToken);

        Assert.Equal("client_aborted", left.Failure!.Code);
        Assert.Equal(1, policy.Queue!.Count);
        _time.Advance(TimeSpan.FromSeconds(1));
        await stays.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(2, Passed());
    }

    [Fact]
    public async Task A_place_in_flight_goes_to_who_waits_when_its_holder_ends()
    {
        var policy = Policy(new LimitSettings { Name = "concurrency", Kind = LimitKind.Concurrency, Amount = 2, Text = "2", WhenExceeded = WhenExceeded.Queue, MaxWait = TimeSpan.FromMinutes(1) });
        var calls = Enumerable.Range(0, 5).Select(_ => Call("a")).ToList();
        var waits = calls.Select(call => InvokeAsync(policy, call)).ToList();
        Assert.Equal(2, Passed());

        for (var ended = 0; ended < 5; ended++)
        {
            Assert.InRange(Passed() - ended, 0, 2);
            _passed[ended].EndAnswer(downTo: 0);
            await UntilAsync(() => Passed() == Math.Min(5, ended + 3));
        }

        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(0, _store.Cells.Used(policy.Limits[0].Algorithm, policy.Limits[0].KeyOf(calls[0]), _time.GetTimestamp()));
    }

    [Fact]
    public async Task A_caller_with_many_calls_does_not_keep_another_waiting()
    {
        var policy = Policy(Rate(10, TimeSpan.FromSeconds(1), maxWaitSeconds: 600));
        var waits = Enumerable.Range(0, 500).Select(_ => InvokeAsync(policy, Call("greedy"))).ToList();
        var modest = Enumerable.Range(0, 5).Select(_ => Call("modest")).ToList();
        waits.AddRange(modest.Select(call => InvokeAsync(policy, call)));

        _time.Advance(TimeSpan.FromSeconds(1));
        await UntilAsync(() => Passed() == 20);

        Assert.All(modest, call => Assert.Contains(call, _passed));
        for (var i = 0; i < 60; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await UntilAsync(() => Passed() == Math.Min(505, 30 + (10 * i)));
        }

        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_caller_that_always_comes_back_does_not_keep_those_who_wait_from_their_turns()
    {
        var policy = Policy(Rate(1, TimeSpan.FromSeconds(1), maxWaitSeconds: 600));
        await InvokeAsync(policy, Call("first"));
        var patient = Enumerable.Range(0, 10).Select(_ => Call("patient")).ToList();
        var waits = patient.Select(call => InvokeAsync(policy, call)).ToList();
        var eager = InvokeAsync(policy, Call("eager"));
        for (var second = 1; second <= 20; second++)
        {
            if (eager.IsCompleted)
            {
                eager = InvokeAsync(policy, Call("eager"));
            }

            _time.Advance(TimeSpan.FromSeconds(1));
            await UntilAsync(() => Passed() == second + 1);
            await Task.WhenAny(eager, Task.Delay(1, TestContext.Current.CancellationToken));
        }

        // Twenty turns for two: half of them each.
        Assert.InRange(patient.Count(_passed.Contains), 9, 10);
        _time.Advance(TimeSpan.FromSeconds(60));
        await Task.WhenAll(waits.Append(eager)).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Those_who_wait_behind_a_newcomers_turn_do_not_have_it_refused()
    {
        var policy = Policy(Rate(10, TimeSpan.FromSeconds(1), maxWaitSeconds: 5));
        var greedy = Enumerable.Range(0, 100).Select(_ => Call("greedy")).ToList();
        var waits = greedy.Select(call => InvokeAsync(policy, call)).ToList();
        Assert.Equal(100 - 60, greedy.Count(call => call.Rejection is not null));

        var modest = Call("modest");
        waits.Add(InvokeAsync(policy, modest));
        Assert.Null(modest.Rejection);
        for (var second = 0; second < 6; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await UntilAsync(() => Passed() == Math.Min(60, 20 + (10 * second)));
        }

        // Its place was one of theirs: the last of them would wait too long now.

        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Contains(modest, _passed);
    }

    [Fact]
    public async Task A_caller_that_fills_the_queue_keeps_nobody_else_out()
    {
        var policy = Policy(new QueueSettings { Capacity = 10 }, Rate(1, TimeSpan.FromSeconds(1), maxWaitSeconds: 600));
        await InvokeAsync(policy, Call("first"));
        var greedy = Enumerable.Range(0, 15).Select(_ => Call("greedy")).ToList();
        var others = Enumerable.Range(0, 30).Select(i => Call("other-" + i)).ToList();
        var waits = greedy.Concat(others).Select(call => InvokeAsync(policy, call)).ToList();

        Assert.Equal(5, greedy.Count(call => call.Rejection is not null));
        Assert.Null(others[0].Rejection);
        Assert.Equal(20, policy.Queue!.Count);
        for (var second = 1; second <= 20; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await UntilAsync(() => Passed() == second + 1);
        }

        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Whoever_waits_for_one_limit_is_refused_by_another_as_soon_as_that_is_known()
    {
        var policy = Policy(
            Rate(1, TimeSpan.FromSeconds(1), maxWaitSeconds: 600) with { Name = "waits" },
            Rate(2, TimeSpan.FromSeconds(60), maxWaitSeconds: 0) with { Name = "refuses", WhenExceeded = WhenExceeded.Reject });
        var calls = Enumerable.Range(0, 3).Select(_ => Call("a")).ToList();
        var waits = calls.Select(call => InvokeAsync(policy, call)).ToList();
        _time.Advance(TimeSpan.FromSeconds(1));
        await UntilAsync(() => Passed() == 2);
        _time.Advance(TimeSpan.FromSeconds(1));
        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);

        Assert.Equal((429, 58.0), (calls[2].Rejection!.Status, Math.Round(calls[2].Rejection!.RetryAfter!.Value.TotalSeconds)));
        Assert.Equal(0, policy.Queue!.Count);
    }

    [Fact]
    public void Room_that_comes_in_half_a_year_is_waited_for()
    {
        // The system's timers reach 49 days.
        using var store = new LimitStore(TimeProvider.System);
        var limit = new Limit(Rate(1, TimeSpan.FromDays(183), maxWaitSeconds: (int)TimeSpan.FromDays(200).TotalSeconds), "api", store.Secret, TimeProvider.System);
        var policy = new LimitsPolicy(PolicyStage.Attempt, [limit], store, store.QueueOf("api", PolicyStage.Attempt), QueueSettings.Default);
        var calls = new[] { Call("a"), Call("a") };
        var waits = calls.Select(call => InvokeAsync(policy, call)).ToList();

        Assert.Equal([true, false], waits.Select(wait => wait.IsCompleted));
        Assert.Equal(1, policy.Queue!.Count);
    }

    [Fact]
    public async Task What_has_passed_is_let_go_of_long_before_it_would_have_given_up()
    {
        const int Calls = 2_000;
        var policy = Policy(Rate(100, TimeSpan.FromSeconds(1), maxWaitSeconds: 3_600));
        var passed = await PassAsync();
        await UntilAsync(() =>
        {
            GC.Collect();
            return passed.Count(call => call.IsAlive) < 300;
        });

        async Task<List<WeakReference>> PassAsync()
        {
            var calls = Enumerable.Range(0, Calls).Select(_ => Call("a")).ToList();
            var waits = calls.Select(call => policy.InvokeAsync(call, _ => default).AsTask()).ToList();

            // Whoever is late on a busy machine finds no more than one burst, whatever the clock has done: time goes on until all have passed.
            await UntilAsync(() =>
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                return waits.TrueForAll(wait => wait.IsCompleted);
            });
            await Task.WhenAll(waits);
            return [.. calls.Select(call => new WeakReference(call))];
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 1)]
    [InlineData(10, 1)]
    [InlineData(2, 5)]
    public async Task Lines_are_served_in_proportion_to_their_weights_and_none_starves(int production, int batch)
    {
        const int Each = 300;
        var settings = new QueueSettings
        {
            Capacity = 10_000,
            FairBy = new KeyPart(KeyPartKind.Environment),
            WeightBy = new KeyPart(KeyPartKind.Environment),
            Weights = new Dictionary<string, int> { ["production"] = production, ["batch"] = batch },
        };
        var policy = Policy(settings, Rate(10, TimeSpan.FromSeconds(1), maxWaitSeconds: 10_000));
        var waits = new List<Task>();
        for (var i = 0; i < Each; i++)
        {
            waits.Add(InvokeAsync(policy, Call("a", environment: "batch")));
            waits.Add(InvokeAsync(policy, Call("b", environment: "production")));
        }

        // While both wait: an eighth of all that there is.
        for (var i = 0; i < 7; i++)
        {
            var before = Passed();
            _time.Advance(TimeSpan.FromSeconds(1));
            await UntilAsync(() => Passed() == before + 10);
        }

        List<Exchange> served;
        lock (_passed)
        {
            // The first ten passed before anybody waited.
            served = _passed[10..];
        }

        var share = served.Count(call => call.Consumer.Environment == "production") / (double)served.Count;
        Assert.InRange(share, (production / (double)(production + batch)) - 0.05, (production / (double)(production + batch)) + 0.05);
        for (var i = 0; i < (2 * Each / 10) + 1 && Passed() < 2 * Each; i++)
        {
            var before = Passed();
            _time.Advance(TimeSpan.FromSeconds(1));
            await UntilAsync(() => Passed() == Math.Min(2 * Each, before + 10));
        }

        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData(1, 20, 4)]
    [InlineData(20, 1, 4)]
    [InlineData(3, 7, 1)]
    public async Task Classes_have_their_parts_however_many_callers_each_has_and_callers_of_a_class_have_as_much(int production, int batch, int weight)
    {
        const int Each = 400;
        var policy = Policy(Weighted(weight), Rate(10, TimeSpan.FromSeconds(1), maxWaitSeconds: 10_000));
        await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => InvokeAsync(policy, Call("first"))));
        var calls = Enumerable.Range(0, Each).SelectMany(i => (Exchange[])[Call("production-" + (i % production), "production"), Call("batch-" + (i % batch), "batch")]).ToList();
        var waits = calls.Select(call => InvokeAsync(policy, call)).ToList();
        await ServeAsync(40);

        var served = _passed[10..].ToLookup(call => call.Consumer.Environment, call => call.Consumer.Name);
        Assert.InRange(served["production"].Count(), (400 * weight / (weight + 1)) - 4, (400 * weight / (weight + 1)) + 4);
        foreach (var ofClass in served)
        {
            var turns = ofClass.GroupBy(name => name).Select(group => group.Count()).ToList();
            Assert.InRange(turns.Max() - turns.Min(), 0, 1);
        }

        await ServeAsync(45);
        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Of_the_queues_room_a_class_has_its_part_however_many_callers_others_are()
    {
        var policy = Policy(Weighted(4) with { Capacity = 100 }, Rate(10, TimeSpan.FromSeconds(1), maxWaitSeconds: 10_000));
        await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => InvokeAsync(policy, Call("first"))));
        var waits = Enumerable.Range(0, 400).Select(i => InvokeAsync(policy, Call("batch-" + (i % 20), "batch"))).ToList();
        var production = Enumerable.Range(0, 60).Select(_ => Call("one", "production")).ToList();
        waits.AddRange(production.Select(call => InvokeAsync(policy, call)));

        Assert.InRange(production.Count(call => call.Rejection is null), 39, 60);
        await ServeAsync(30);
        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Strangers_that_never_stop_coming_do_not_keep_those_who_wait_from_their_turns()
    {
        var policy = Policy(Rate(2, TimeSpan.FromSeconds(1), maxWaitSeconds: 10_000));
        await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => InvokeAsync(policy, Call("first"))));
        var patient = Enumerable.Range(0, 5).Select(_ => Call("patient")).ToList();
        var waits = patient.Select(call => InvokeAsync(policy, call)).ToList();

        // As many as are served, each of another caller with its first turn.
        for (var i = 0; i < 60; i++)
        {
            waits.Add(InvokeAsync(policy, Call("stranger-" + i)));
            waits.Add(InvokeAsync(policy, Call("stranger-" + (1_000 + i))));
            await ServeAsync(1);
        }

        Assert.All(patient, call => Assert.Contains(call, _passed));
        await ServeAsync(10);
        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Who_is_told_to_wait_knows_how_many_have_their_turn_before()
    {
        var policy = Policy(Weighted(4), Rate(1, TimeSpan.FromSeconds(1), maxWaitSeconds: 10_000));
        await InvokeAsync(policy, Call("first"));
        var waits = Enumerable.Range(0, 40).Select(_ => InvokeAsync(policy, Call("greedy", "batch"))).ToList();
        var (modest, second, production) = (Call("modest", "batch"), Call("modest", "batch"), Call("one", "production"));
        waits.AddRange(((Exchange[])[modest, second, production]).Select(call => InvokeAsync(policy, call)));

        // One of the greedy has its turn before: 41 stand there.
        Assert.Equal((2, 4), (modest.QueuePosition, second.QueuePosition));
        Assert.InRange(production.QueuePosition, 1, 2);
        await ServeAsync(50);
        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Whoever_two_limits_refuse_in_turn_waits_for_both_and_nothing_is_taken_twice()
    {
        var policy = Policy(
            Rate(5, TimeSpan.FromSeconds(1), maxWaitSeconds: 600) with { Name = "fast" },
            Rate(12, TimeSpan.FromSeconds(10), maxWaitSeconds: 600) with { Name = "slow" });
        var waits = Enumerable.Range(0, 30).Select(_ => InvokeAsync(policy, Call("a"))).ToList();
        int[] expected = [5, 10, 12, 12, 12, 12, 12, 12, 12, 12, 17, 22, 24];
        for (var second = 0; second < expected.Length; second++)
        {
            await UntilAsync(() => Passed() == expected[second]);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        _time.Advance(TimeSpan.FromSeconds(60));
        await UntilAsync(() => Passed() >= 29);
        _time.Advance(TimeSpan.FromSeconds(60));
        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task The_queue_is_bounded()
    {
        var policy = Policy(new QueueSettings { Capacity = 3 }, Rate(1, TimeSpan.FromSeconds(1), maxWaitSeconds: 600));
        var calls = Enumerable.Range(0, 6).Select(_ => Call("a")).ToList();
        var waits = calls.Select(call => InvokeAsync(policy, call)).ToList();

        Assert.Equal(3, policy.Queue!.Count);
        Assert.Equal(2, calls.Count(call => call.Rejection is not null));
        _time.Advance(TimeSpan.FromSeconds(1));
        _time.Advance(TimeSpan.FromSeconds(1));
        _time.Advance(TimeSpan.FromSeconds(1));
        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_hundred_thousand_wait_without_a_timer_each_and_all_pass()
    {
        const int Calls = 100_000;
        var policy = Policy(new QueueSettings { Capacity = Calls }, Rate(10_000, TimeSpan.FromSeconds(1), maxWaitSeconds: 600));
        var waits = Enumerable.Range(0, Calls).Select(i => InvokeAsync(policy, Call("consumer-" + (i % 100)))).ToList();
        Assert.Equal(Calls - 10_000, policy.Queue!.Count);
        for (var second = 1; second < 10; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await UntilAsync(() => Passed() == (second + 1) * 10_000);
        }

        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_class_whose_guarantee_has_room_passes_those_who_wait_for_borrowed_room()
    {
        var policy = Policy(Shared(Rate(10, TimeSpan.FromSeconds(1), maxWaitSeconds: 60)));
        await InvokeAsync(policy, Call("a", "production"));
        await InvokeAsync(policy, Call("a", "production"));
        var batch = Enumerable.Range(0, 100).Select(_ => InvokeAsync(policy, Call("b", "batch"))).ToList();
        Assert.Equal((10, 92), (Passed(), policy.Queue!.Count));

        // Of the ten that are free again two are kept for production, which comes later than all who wait.
        _time.Advance(TimeSpan.FromSeconds(1));
        await UntilAsync(() => Passed() == 18);
        await InvokeAsync(policy, Call("a", "production")).WaitAsync(Patience, TestContext.Current.CancellationToken);
        await InvokeAsync(policy, Call("a", "production")).WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(20, Passed());

        // A third has to wait with the others, and from then on has all of its guarantee.
        var third = InvokeAsync(policy, Call("a", "production"));
        Assert.False(third.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(1));
        await third.WaitAsync(Patience, TestContext.Current.CancellationToken);
        await UntilAsync(() => Passed() == 24);
        for (var i = 0; i < 6; i++)
        {
            await InvokeAsync(policy, Call("a", "production")).WaitAsync(Patience, TestContext.Current.CancellationToken);
        }

        await UntilAsync(() =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            return batch.All(call => call.IsCompleted);
        });
        await Task.WhenAll(batch);
    }

    [Fact]
    public async Task A_place_in_flight_that_ends_goes_to_the_class_whose_guarantee_it_is_before_those_who_came_earlier()
    {
        var policy = Policy(Shared(new LimitSettings { Name = "concurrency", Kind = LimitKind.Concurrency, Amount = 10, Text = "10", WhenExceeded = WhenExceeded.Queue, MaxWait = TimeSpan.FromMinutes(1) }));
        var batch = Enumerable.Range(0, 20).Select(_ => Call("b", "batch")).ToList();
        var waits = batch.Select(call => InvokeAsync(policy, call)).ToList();
        var production = Enumerable.Range(0, 3).Select(_ => Call("a", "production")).ToList();
        waits.AddRange(production.Select(call => InvokeAsync(policy, call)));
        Assert.Equal(10, Passed());

        for (var ended = 0; ended < 3; ended++)
        {
            batch[ended].EndAnswer(0);
            await UntilAsync(() => Passed() == 11 + ended);
            Assert.Same(production[ended], _passed[^1]);
        }

        // Nobody of production waits any more: two seconds later the rest of its guarantee is lent again.
        _time.Advance(TimeSpan.FromSeconds(5));
        while (waits.Exists(wait => !wait.IsCompleted))
        {
            foreach (var call in batch.Concat(production))
            {
                call.EndAnswer(0);
            }

            await Task.Delay(1, TestContext.Current.CancellationToken);
        }

        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    private static QueueSettings Weighted(int production) => new()
    {
        Capacity = 10_000,
        WeightBy = new KeyPart(KeyPartKind.Environment),
        Weights = new Dictionary<string, int> { ["production"] = production },
    };

    /// <summary>So many seconds go by, in each of which those who wait have what there is.</summary>
    private async Task ServeAsync(int seconds)
    {
        for (var i = 0; i < seconds; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await SettleAsync();
        }
    }

    private async Task SettleAsync()
    {
        for (var (before, quiet) = (-1, 0); quiet < 5; quiet++)
        {
            quiet = Passed() == before ? quiet : 0;
            before = Passed();
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }
    }

    private static LimitSettings Shared(LimitSettings limit) => limit with
    {
        Shares = new ShareSettings(new KeyPart(KeyPartKind.Environment), [new("production", 0.7, 1), new(ShareTerms.Others, 0, 1)]),
    };

    private static LimitSettings Rate(long amount, TimeSpan period, int maxWaitSeconds) => new()
    {
        Name = "rate",
        Kind = LimitKind.Rate,
        Amount = amount,
        Period = period,
        Text = "rate",
        WhenExceeded = WhenExceeded.Queue,
        MaxWait = TimeSpan.FromSeconds(maxWaitSeconds),
    };

    private static Exchange Call(string consumer, string environment = "") => new()
    {
        Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
        Client = null!,
        Consumer = new Consumer(consumer, "", environment),
    };

    private LimitsPolicy Policy(params LimitSettings[] limits) => Policy(QueueSettings.Default, limits);

    private LimitsPolicy Policy(QueueSettings queue, params LimitSettings[] limits) =>
        new(PolicyStage.Attempt, [.. limits.Select(limit => new Limit(limit, "api", _store.Secret, _time))], _store, _store.QueueOf("api", PolicyStage.Attempt), queue);

    private Task InvokeAsync(LimitsPolicy policy, Exchange exchange) => policy.InvokeAsync(exchange, passed =>
    {
        lock (_passed)
        {
            _passed.Add(passed);
        }

        return default;
    }).AsTask();

    private int Passed()
    {
        lock (_passed)
        {
            return _passed.Count;
        }
    }

    // What follows a wait runs on the thread pool; time stands still meanwhile.
    private static async Task UntilAsync(Func<bool> isDone)
    {
        for (var started = TimeProvider.System.GetTimestamp(); !isDone(); await Task.Delay(1, TestContext.Current.CancellationToken))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < Patience, "It did not come to that.");
        }
    }
}
