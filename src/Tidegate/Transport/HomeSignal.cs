using System.Threading.Tasks.Sources;

namespace Tidegate.Transport;

/// <summary>
/// One exchange waits for something that happens elsewhere. What follows the wait runs where the exchange came from: on its reactor, or on the thread pool.
/// </summary>
internal sealed class HomeSignal : IValueTaskSource
{
    private readonly Lock _gate = new();
    private ManualResetValueTaskSourceCore<bool> _source;
    private Reactor? _home;
    private State _state;

    private enum State
    {
        Idle,
        Waiting,
        Set,
    }

    /// <summary>Until <see cref="Set"/>, or at once when it came first. One at a time, who looks again at what it waited for.</summary>
    public ValueTask WaitAsync()
    {
        lock (_gate)
        {
            if (_state == State.Set)
            {
                _state = State.Idle;
                return default;
            }

            _home = Reactor.Current;
            _source.Reset();
            _state = State.Waiting;
            return new ValueTask(this, _source.Version);
        }
    }

    /// <summary>Whoever waits goes on.</summary>
    public void Set()
    {
        Reactor? home;
        lock (_gate)
        {
            if (_state != State.Waiting)
            {
                _state = State.Set;
                return;
            }

            _state = State.Idle;
            home = _home;
        }

        if (home is not null)
        {
            home.Post(static signal => ((HomeSignal)signal!)._source.SetResult(true), this);
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(static signal => signal._source.SetResult(true), this, preferLocal: false);
        }
    }

    void IValueTaskSource.GetResult(short token) => _source.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags & ~ValueTaskSourceOnCompletedFlags.UseSchedulingContext);
}
