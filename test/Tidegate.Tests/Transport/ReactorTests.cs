using Microsoft.Extensions.Time.Testing;
using Tidegate.Transport;
using Xunit;

namespace Tidegate.Tests.Transport;

public sealed class ReactorTests : IAsyncDisposable
{
    private readonly List<string> _log = [];
    private readonly FakeTimeProvider _time = new();
    private readonly ReactorTransport _transport;

    public ReactorTests() => _transport = ReactorTransport.Create(2, _time, line =>
    {
        lock (_log)
        {
            _log.Add(line);
        }
    });

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private Reactor First => _transport.Reactors[0];

    public ValueTask DisposeAsync() => _transport.DisposeAsync();

    [Fact]
    public async Task Code_goes_from_one_reactor_to_the_other_and_knows_where_it_is()
    {
        Assert.Equal(-1, Reactor.CurrentIndex);
        foreach (var reactor in _transport.Reactors)
        {
            await reactor.SwitchAsync();
            Assert.True(reactor.IsCurrent);
            Assert.Same(reactor, Reactor.Current);
            Assert.Equal(reactor.Index, Reactor.CurrentIndex);
            Assert.True(reactor.SwitchAsync().IsCompleted);
        }
    }

    [Fact]
    public async Task Posts_of_one_thread_run_in_order_and_never_inside_the_post()
    {
        var ran = new List<int>();
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        First.Post(
            _ =>
            {
                First.Post(_ => ran.Add(2), null);
                First.Post(
                    _ =>
                    {
                        ran.Add(3);
                        done.SetResult();
                    },
                    null);
                ran.Add(1);
            },
            null);
        await done.Task.WaitAsync(Cancellation);
        Assert.Equal([1, 2, 3], ran);
    }

    [Fact]
    public async Task Posts_of_many_threads_all_run_and_wake_the_reactor_seldom()
    {
        var ran = 0;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 25_000; i++)
            {
                First.Post(
                    _ =>
                    {
                        if (++ran == 100_000)
                        {
                            done.SetResult();
                        }
                    },
                    null);
            }
        })));
        await done.Task.WaitAsync(Cancellation);
        Assert.True(First.Counters.WakeUps <= First.Counters.Turns);
        Assert.True(First.Counters.WakeUps < 100_000);
    }

    [Fact]
    public async Task A_callback_that_throws_is_logged_and_the_reactor_goes_on()
    {
        First.Post(static _ => throw new InvalidOperationException("a bug"), null);
        await First.SwitchAsync();
        Assert.Equal(1, First.Counters.FailedCallbacks);
        Assert.Contains("a bug", Assert.Single(_log));
    }

    [Fact]
    public async Task A_long_turn_is_counted_and_logged_once_in_a_while()
    {
        for (var i = 0; i < 3; i++)
        {
            await First.SwitchAsync();
            _time.Advance(TimeSpan.FromMilliseconds(300));
            await Task.Yield();
        }

        await First.SwitchAsync();
        Assert.Equal(3, First.Counters.LongTurns);
        Assert.Contains("was busy for 300 ms", Assert.Single(_log));
    }

    [Fact]
    public async Task A_turn_that_does_not_end_is_reported_while_it_lasts()
    {
        using var release = new ManualResetEventSlim();
        using var entered = new ManualResetEventSlim();
        First.Post(
            _ =>
            {
                entered.Set();
                release.Wait(Cancellation);
            },
            null);
        entered.Wait(Cancellation);
        _time.Advance(TimeSpan.FromSeconds(20));
        Assert.Contains("is stuck", Assert.Single(_log));
        release.Set();
        await First.SwitchAsync();
    }

    [Fact]
    public async Task Offloaded_work_runs_elsewhere_and_comes_back()
    {
        var offload = new Offload(maxConcurrent: 2, maxWaiting: 0);
        await First.SwitchAsync();
        var (onReactor, onPool) = await offload.RunAsync(0, static _ => (Reactor.Current is not null, Thread.CurrentThread.IsThreadPoolThread));
        Assert.False(onReactor);
        Assert.True(onPool);
        Assert.True(First.IsCurrent);

        await Assert.ThrowsAsync<InvalidDataException>(async () => await offload.RunAsync<int, int>(0, static _ => throw new InvalidDataException()));
        Assert.Equal(0, offload.Inside);
    }

    [Fact]
    public async Task Offloaded_work_is_bounded()
    {
        var offload = new Offload(maxConcurrent: 2, maxWaiting: 3);
        using var release = new ManualResetEventSlim();
        var running = 0;
        var most = 0;
        var work = Enumerable.Range(0, 5).Select(_ => offload.RunAsync(0, _ =>
        {
            InterlockedMax(ref most, Interlocked.Increment(ref running));
            release.Wait(Cancellation);
            Interlocked.Decrement(ref running);
            return 1;
        }).AsTask()).ToList();

        await Assert.ThrowsAsync<OffloadFullException>(async () => await offload.RunAsync(0, static _ => 1));
        Assert.Equal((5, 1), (offload.Inside, offload.Refused));
        release.Set();
        await Task.WhenAll(work);
        Assert.InRange(most, 1, 2);
        Assert.Equal(1, await offload.RunAsync(0, static _ => 1));

        static void InterlockedMax(ref int target, int value)
        {
            int seen;
            while ((seen = Volatile.Read(ref target)) < value && Interlocked.CompareExchange(ref target, value, seen) != seen)
            {
            }
        }
    }

    [Fact]
    public async Task What_is_posted_after_the_end_still_runs_one_after_the_other()
    {
        await _transport.DisposeAsync();
        var inside = 0;
        var ran = 0;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Parallel.For(0, 1000, _ => First.Post(
            _ =>
            {
                Assert.Equal(1, Interlocked.Increment(ref inside));
                Assert.True(First.IsCurrent);
                Interlocked.Decrement(ref inside);
                if (++ran == 1000)
                {
                    done.SetResult();
                }
            },
            null));
        await done.Task.WaitAsync(Cancellation);
        Assert.Empty(_log);
    }
}
