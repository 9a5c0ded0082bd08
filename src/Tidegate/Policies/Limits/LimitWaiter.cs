using System.Threading.Tasks.Sources;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Limits;

/// <summary>One exchange that waits for its turn. What follows the wait runs where the exchange came from: on its reactor, or on the thread pool.</summary>
internal sealed class LimitWaiter(LimitQueue queue, LimitLease lease, Exchange exchange) : IValueTaskSource<WaitResult>
{
    private readonly Reactor? _reactor = Reactor.Current;
    private ManualResetValueTaskSourceCore<WaitResult> _source;
    private CancellationTokenRegistration _aborted;
    private WaitResult _result;

    // Set by whoever comes first of the registration and the end of the wait; the second one unregisters.
    private int _isRegisteredOrOver;

    public LimitLease Lease { get; } = lease;

    /// <summary>The timestamp after which it will not wait.</summary>
    public required long Deadline { get; init; }

    /// <summary>Whose turns it shares with all of its class.</summary>
    public required UInt128 Class { get; init; }

    /// <summary>Of its class.</summary>
    public required int Weight { get; init; }

    /// <summary>Whose turns it shares within the class.</summary>
    public required UInt128 Flow { get; init; }

    /// <summary>Of the limit that it waits for.</summary>
    public long Cost { get; set; }

    /// <summary>Where it stands.</summary>
    public FairQueue? Line { get; set; }

    /// <summary>The count that it waits for, and which of the lease's limits that is.</summary>
    public UInt128 LineKey { get; set; }

    public int Refusing { get; set; }

    /// <summary>How long it would have had to wait on, when it has waited too long.</summary>
    public long RestTicks { get; set; } = LimitAlgorithm.UntilReleased;

    /// <summary>Which limit refused it after all, and how long that would be: another than the one that it waited for.</summary>
    public (Limit Limit, long WaitTicks) RefusedBy { get; private set; }

    /// <summary>Changed under the queue's lock only.</summary>
    public bool IsWaiting { get; private set; } = true;

    public ValueTask<WaitResult> WaitAsync()
    {
        _aborted = exchange.Aborted.UnsafeRegister(static waiter => ((LimitWaiter)waiter!).Leave(), this);
        if (Interlocked.Exchange(ref _isRegisteredOrOver, 1) != 0)
        {
            // Over before it was known how the client would be heard of: a token that lives as long as a connection must not keep it.
            _aborted.Unregister();
        }

        return new ValueTask<WaitResult>(this, _source.Version);
    }

    /// <summary>Decides, under the queue's lock. <see cref="Resume"/> follows outside of it.</summary>
    public void Decide(WaitResult result)
    {
        IsWaiting = false;
        _result = result;
    }

    /// <summary>Decides for another limit, which does not let wait or not so long; under the queue's lock.</summary>
    public void Refuse(Limit limit, long waitTicks)
    {
        RefusedBy = (limit, waitTicks);
        Decide(WaitResult.Refused);
    }

    /// <summary>Lets the exchange go on, where it came from.</summary>
    public void Resume()
    {
        if (_reactor is { } reactor)
        {
            reactor.Post(static waiter => ((LimitWaiter)waiter!).Complete(), this);
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(static waiter => waiter.Complete(), this, preferLocal: false);
        }
    }

    WaitResult IValueTaskSource<WaitResult>.GetResult(short token) => _source.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<WaitResult>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<WaitResult>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags & ~ValueTaskSourceOnCompletedFlags.UseSchedulingContext);

    private void Leave() => queue.Leave(this);

    private void Complete()
    {
        if (Interlocked.Exchange(ref _isRegisteredOrOver, 1) != 0)
        {
            _aborted.Unregister();
        }

        _source.SetResult(_result);
    }
}

/// <summary>How a wait ended.</summary>
internal enum WaitResult
{
    /// <summary>Everything was taken.</summary>
    Admitted,

    /// <summary>The longest wait is over.</summary>
    TooLong,

    /// <summary>Another limit refuses, as <see cref="LimitWaiter.RefusedBy"/> says.</summary>
    Refused,

    /// <summary>The client has gone.</summary>
    Left,
}
