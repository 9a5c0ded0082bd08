using Microsoft.Extensions.Time.Testing;
using Tidegate.Transport;
using Xunit;

namespace Tidegate.Tests.Transport;

public sealed class DeadlinesTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly Deadlines _deadlines;

    public DeadlinesTests() => _deadlines = new Deadlines(_time);

    public void Dispose() => _deadlines.Dispose();

    [Fact]
    public void It_expires_once_after_its_limit_and_within_a_tick()
    {
        var expiries = 0;
        using var deadline = _deadlines.Add(_ => expiries++, this);
        Assert.True(deadline.Set(TimeSpan.FromMilliseconds(250)));

        _time.Advance(TimeSpan.FromMilliseconds(249));
        Assert.Equal((0, false), (expiries, deadline.IsExpired));

        _time.Advance(TimeSpan.FromMilliseconds(101));
        Assert.Equal((1, true), (expiries, deadline.IsExpired));

        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(1, expiries);
    }

    [Fact]
    public void Cleared_or_never_set_it_does_not_expire()
    {
        using var never = _deadlines.Add(_ => Assert.Fail("It was never set."), this);
        using var cleared = _deadlines.Add(_ => Assert.Fail("It was cleared."), this);
        cleared.Set(TimeSpan.FromSeconds(1));
        Assert.True(cleared.Clear());

        _time.Advance(TimeSpan.FromHours(1));
    }

    [Fact]
    public void Set_anew_it_counts_from_then()
    {
        var expiries = 0;
        using var deadline = _deadlines.Add(_ => expiries++, this);
        for (var i = 0; i < 20; i++)
        {
            Assert.True(deadline.Set(TimeSpan.FromSeconds(1)));
            _time.Advance(TimeSpan.FromMilliseconds(900));
        }

        Assert.Equal(0, expiries);
        _time.Advance(TimeSpan.FromMilliseconds(200));
        Assert.Equal(1, expiries);
    }

    [Fact]
    public void After_expiry_nothing_arms_it_and_the_caller_is_told()
    {
        using var deadline = _deadlines.Add(_ => { }, this);
        deadline.Set(TimeSpan.Zero);
        _time.Advance(Deadlines.Tick);

        Assert.False(deadline.Clear());
        Assert.False(deadline.Set(TimeSpan.FromSeconds(1)));
        Assert.True(deadline.IsExpired);
    }

    [Fact]
    public void A_limit_beyond_all_time_never_comes()
    {
        using var deadline = _deadlines.Add(_ => Assert.Fail("Too early."), this);
        deadline.Set(TimeSpan.MaxValue);

        _time.Advance(TimeSpan.FromHours(1));

        Assert.True(deadline.Clear());
    }

    [Fact]
    public void A_given_up_place_is_used_again_and_does_not_remember()
    {
        var first = _deadlines.Add(_ => Assert.Fail("It was disposed."), this);
        first.Set(TimeSpan.FromSeconds(1));
        first.Dispose();
        first.Dispose();
        var expired = new List<object>();
        using var second = _deadlines.Add(expired.Add, "second");
        Assert.Equal(1, _deadlines.Count);

        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Empty(expired);

        second.Set(TimeSpan.FromSeconds(1));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(["second"], expired);
    }

    [Fact]
    public void Each_of_thousands_expires_at_its_own_time()
    {
        var expired = new List<object>();
        var all = Enumerable.Range(0, 5_000).Select(i => _deadlines.Add(expired.Add, i)).ToList();
        foreach (var (deadline, i) in all.Select((deadline, i) => (deadline, i)))
        {
            deadline.Set(TimeSpan.FromMilliseconds(100 * (1 + (i % 50))));
        }

        for (var tick = 1; tick <= 50; tick++)
        {
            _time.Advance(Deadlines.Tick);
            Assert.Equal(100 * tick, expired.Count);
        }

        Assert.Equal(Enumerable.Range(0, 5_000), expired.Cast<int>().Order());
        all.ForEach(deadline => deadline.Dispose());
        Assert.Equal(0, _deadlines.Count);
    }

    [Fact]
    public void Nothing_wakes_while_nothing_is_due()
    {
        var time = new CountingTime();
        using var deadlines = new Deadlines(time);
        using var deadline = deadlines.Add(_ => { }, this);
        using var shorter = deadlines.Add(_ => { }, this);
        Assert.Equal(0, time.Wakes(TimeSpan.FromHours(1)));

        // As connections do it: set and cleared for each exchange, always as far away.
        for (var second = 0; second < 60; second++)
        {
            deadline.Set(TimeSpan.FromSeconds(10));
            shorter.Set(TimeSpan.FromSeconds(5));
            shorter.Clear();
            deadline.Clear();
            time.Wakes(TimeSpan.FromSeconds(1));
        }

        Assert.InRange(time.Fired, 0, 13);
        Assert.InRange(time.Wakes(TimeSpan.FromHours(1)), 0, 2);
    }

    [Fact]
    public void A_time_beyond_what_timers_reach_is_kept()
    {
        var expiries = 0;
        using var deadline = _deadlines.Add(_ => expiries++, this);
        deadline.Set(TimeSpan.FromDays(60));
        _time.Advance(TimeSpan.FromDays(59));
        Assert.Equal(0, expiries);
        _time.Advance(TimeSpan.FromDays(1) + Deadlines.Tick);
        Assert.Equal(1, expiries);
    }

    [Fact]
    public async Task A_time_that_is_set_while_a_sweep_looks_is_not_passed_over()
    {
        // Real time: every thread sets short times again and again, each of which must come though nothing else ever wakes the sweep.
        using var deadlines = new Deadlines(TimeProvider.System);
        var cancellation = TestContext.Current.CancellationToken;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(() =>
        {
            for (var i = 0; i < 15; i++)
            {
                var calls = new int[1];
                using var deadline = deadlines.Add(state => Interlocked.Increment(ref ((int[])state)[0]), calls);
                deadline.Set(TimeSpan.FromMilliseconds((thread + i) % 7));
                Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref calls[0]) == 1, TimeSpan.FromSeconds(60)), "It never came.");
            }
        }, cancellation)));
    }

    [Fact]
    public async Task Owners_that_clear_in_time_are_never_called_whatever_the_sweep_does_meanwhile()
    {
        // Real time: each thread arms for now, and either takes it back or has been told that it was too late. Nothing in between.
        using var deadlines = new Deadlines(TimeProvider.System);
        var cancellation = TestContext.Current.CancellationToken;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            var until = TimeProvider.System.GetTimestamp() + (TimeProvider.System.TimestampFrequency / 2);
            while (TimeProvider.System.GetTimestamp() < until)
            {
                var calls = new int[1];
                using var deadline = deadlines.Add(state => Interlocked.Increment(ref ((int[])state)[0]), calls);
                var tookBack = true;
                for (var i = 0; i < 1_000 && tookBack; i++)
                {
                    tookBack = deadline.Set(TimeSpan.Zero) && deadline.Clear();
                }

                if (!tookBack)
                {
                    Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref calls[0]) == 1, TimeSpan.FromSeconds(60)));
                }
                else
                {
                    Assert.Equal(0, Volatile.Read(ref calls[0]));
                }
            }
        }, cancellation)));
        Assert.Equal(0, deadlines.Count);
    }

    /// <summary>Counts how often timers fire.</summary>
    private sealed class CountingTime : FakeTimeProvider
    {
        public int Fired { get; private set; }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => base.CreateTimer(
            given =>
            {
                Fired++;
                callback(given);
            },
            state,
            dueTime,
            period);

        public int Wakes(TimeSpan span)
        {
            var before = Fired;
            Advance(span);
            return Fired - before;
        }
    }
}
