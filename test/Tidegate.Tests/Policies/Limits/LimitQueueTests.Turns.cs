using Tidegate.Exchanges;
using Tidegate.Policies.Limits;
using Xunit;

namespace Tidegate.Tests.Policies.Limits;

/// <summary>Whose turn it is, and what those who wait are told of it.</summary>
public sealed partial class LimitQueueTests
{
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
        var eagerCall = Call("eager");
        var eager = InvokeAsync(policy, eagerCall);
        for (var second = 1; second <= 20; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await UntilAsync(() => Passed() == second + 1);
            if (_passed[^1] == eagerCall)
            {
                await eager.WaitAsync(Patience, TestContext.Current.CancellationToken);
                eagerCall = Call("eager");
                eager = InvokeAsync(policy, eagerCall);
            }
        }

        // Twenty turns for two: half of them each.
        Assert.InRange(patient.Count(_passed.Contains), 9, 10);
        _time.Advance(TimeSpan.FromSeconds(60));
        await Task.WhenAll(waits.Append(eager)).WaitAsync(Patience, TestContext.Current.CancellationToken);
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
    public async Task A_caller_that_makes_up_values_has_no_more_turns_for_it()
    {
        var settings = Weighted(4) with { WeightBy = new KeyPart(KeyPartKind.Header, "x-priority") };
        var policy = Policy(settings, Rate(1, TimeSpan.FromSeconds(1), maxWaitSeconds: 10_000));
        await InvokeAsync(policy, Call("first"));
        var made = Enumerable.Range(0, 40).Select(i => Prioritised("greedy", "made-up-" + i)).ToList();
        var waits = made.Select(call => InvokeAsync(policy, call)).ToList();
        var modest = Enumerable.Range(0, 4).Select(_ => Prioritised("modest", "")).ToList();
        var production = Enumerable.Range(0, 16).Select(_ => Prioritised("one", "production")).ToList();
        waits.AddRange(modest.Concat(production).Select(call => InvokeAsync(policy, call)));
        await ServeAsync(20);

        // Four of five are production's, and of the others every second is the modest one's.
        Assert.InRange(production.Count(_passed.Contains), 15, 16);
        Assert.InRange(modest.Count(_passed.Contains), 2, 3);
        await ServeAsync(50);
        await Task.WhenAll(waits).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public void Classes_that_came_and_left_leave_nothing_behind_while_nobody_is_served()
    {
        var queue = new FairQueue();
        queue.Enqueue(Waiter(1));
        for (var i = 2; i < 5_000; i++)
        {
            var waiter = Waiter((UInt128)i);
            queue.Enqueue(waiter);
            waiter.Decide(WaitResult.Left);
            queue.Leave(waiter);
        }

        Assert.InRange(queue.Classes, 1, 70);

        // A newcomer is told of its turn, and not of the whole line.
        for (var i = 0; i < 20; i++)
        {
            queue.Enqueue(Waiter(1));
        }

        Assert.Equal(1, queue.Before(key: 9_999, weight: 1, flow: 0).Count);
        Assert.True(queue.TryPeek(out var next));
        Assert.Equal((UInt128)1, next.Class);

        LimitWaiter Waiter(UInt128 ofClass) => new(null!, null!, Call("a")) { Deadline = 0, Class = ofClass, Weight = 1, Flow = 0, Cost = 1, Line = queue };
    }

    private static Exchange Prioritised(string consumer, string priority)
    {
        var call = Call(consumer);
        call.RequestHeaders.Add("x-priority"u8, System.Text.Encoding.ASCII.GetBytes(priority));
        return call;
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
}
