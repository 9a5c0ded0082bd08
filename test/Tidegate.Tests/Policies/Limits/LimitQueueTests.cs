using System.Net;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Shares;
using Xunit;

namespace Tidegate.Tests.Policies.Limits;

public sealed partial class LimitQueueTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

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
