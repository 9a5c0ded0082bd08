using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Tidegate.Transport;

/// <summary>
/// One thread that serves its sockets and runs what they wait for. A connection stays on its reactor for life; so does the code that awaits it, unless it awaits
/// something else. Code on a reactor must not block: every connection of the reactor waits for it. See <see cref="Offload"/>.
/// </summary>
internal abstract class Reactor : IThreadPoolWorkItem
{
    // About a millisecond of copying when all are large; a request with its upstream call makes four.
    private const int OperationsAtOnce = 32;

    [ThreadStatic]
    private static Reactor? _current;

    private readonly WorkQueue _work = new();
    private readonly Lock _stopGate = new();
    private readonly Action<string> _log;
    private int _operationsLeft = OperationsAtOnce;
    private bool _hasStopped;
    private bool _isDraining;
    private bool _hasLateWork;

    protected Reactor(int index, Action<string> log)
    {
        Index = index;
        _log = log;
    }

    /// <summary>The reactor whose thread this is; null on all other threads.</summary>
    public static Reactor? Current => _current;

    /// <summary>The current reactor's number, from 0; -1 on all other threads. For what is kept once a reactor without a lock.</summary>
    public static int CurrentIndex => _current?.Index ?? -1;

    public int Index { get; }

    /// <summary>Whether this thread is this reactor's.</summary>
    public bool IsCurrent => ReferenceEquals(_current, this);

    public ReactorCounters Counters { get; } = new();

    public BlockPool Blocks { get; } = new();

    /// <summary>Runs the callback on the reactor's thread, soon and never inside this call, in the order of posting. From any thread. The execution context does not flow.</summary>
    public void Post(Action<object?> callback, object? state)
    {
        if (IsCurrent)
        {
            _work.Add(new Work(callback, state));
            return;
        }

        var wake = _work.Post(new Work(callback, state));
        if (Volatile.Read(ref _hasStopped))
        {
            DrainLater();
        }
        else if (wake)
        {
            WakeUp();
        }
    }

    /// <summary><c>await reactor.SwitchAsync()</c>: what follows runs on the reactor; at once when it does already.</summary>
    public ReactorSwitch SwitchAsync() => new(this);

    /// <summary>Counts one system call of the running callback. False when it has had its share: it must wait for the next turn.</summary>
    public bool TrySpend()
    {
        Debug.Assert(IsCurrent, "spent on another thread");
        if (_operationsLeft > 0)
        {
            _operationsLeft--;
            return true;
        }

        Counters.Yields++;
        return false;
    }

    /// <summary>Runs one piece of work with a fresh share. What throws is a bug; it is logged and the others go on.</summary>
    public void Run(Work work)
    {
        _operationsLeft = OperationsAtOnce;
        try
        {
            work.Callback(work.State);
        }
        catch (Exception bug)
        {
            OnBug(bug);
        }
    }

    /// <summary>After the thread has ended, late posts run on the thread pool, one after the other, as if that were the reactor.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        while (true)
        {
            lock (_stopGate)
            {
                if (!_hasLateWork)
                {
                    _isDraining = false;
                    return;
                }

                _hasLateWork = false;
            }

            var outer = _current;
            _current = this;
            while (!_work.TrySleep())
            {
                _work.Run(this);
            }

            _current = outer;
        }
    }

    /// <summary>Ends the wait for sockets. Any thread; never after <see cref="Leave"/>.</summary>
    protected abstract void Wake();

    protected void Enter() => _current = this;

    protected void Run(Watched watched, uint events)
    {
        _operationsLeft = OperationsAtOnce;
        try
        {
            watched.OnEvents(events);
        }
        catch (Exception bug)
        {
            OnBug(bug);
        }
    }

    protected bool TrySleep() => _work.TrySleep();

    protected void RunPosted() => _work.Run(this);

    /// <summary>The last thing that the reactor's thread does before it closes what wakes it.</summary>
    protected void Leave()
    {
        _current = null;
        lock (_stopGate)
        {
            Volatile.Write(ref _hasStopped, true);
        }

        DrainLater();
    }

    private void OnBug(Exception bug)
    {
        Counters.FailedCallbacks++;
        _log($"A callback on reactor {Index} failed: {bug}");
    }

    private void WakeUp()
    {
        lock (_stopGate)
        {
            if (!_hasStopped)
            {
                Wake();
                return;
            }
        }

        DrainLater();
    }

    private void DrainLater()
    {
        lock (_stopGate)
        {
            _hasLateWork = true;
            if (_isDraining)
            {
                return;
            }

            _isDraining = true;
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }
}

/// <summary>Awaits arrival on a reactor.</summary>
internal readonly struct ReactorSwitch(Reactor reactor) : ICriticalNotifyCompletion
{
    public ReactorSwitch GetAwaiter() => this;

    public bool IsCompleted => reactor.IsCurrent;

    public void GetResult()
    {
    }

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation) => reactor.Post(static next => ((Action)next!)(), continuation);
}
