using System.Diagnostics;

namespace Tidegate.Transport;

/// <summary>A reactor on one epoll instance.</summary>
internal sealed unsafe class EpollReactor<TCalls> : Reactor
    where TCalls : struct, ISocketCalls
{
    // Enough that a full load costs few waits, few enough that the end of the list is not old when its turn comes.
    private const int MaxEvents = 256;

    // Enough that a peer that sleeps is woken once for many answers, few enough that the first of them does not wait for long: some 100 µs of requests, whatever else the turn is about.
    private const int MaxDeferred = 32;
    private const int MaxCallsBehindDeferred = 128;

    private readonly WatchedTable _watched = new();
    private readonly TurnWatch _turns;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<SocketWriter<TCalls>> _deferred = new(MaxDeferred);
    private readonly int _epoll;
    private readonly int _wake;
    private int _event;
    private int _firstDeferred;
    private long _callsAtDeferred;
    private bool _isStopping;

    public EpollReactor(int index, TCalls calls, TimeProvider time, Action<string> log)
        : base(index, log)
    {
        Calls = calls;
        Time = time;
        Log = log;
        _turns = new TurnWatch(index, Counters, log, time);
        _epoll = Check(Libc.EpollCreate());
        _wake = Check(Libc.EventCreate());
        var signal = new WakeSignal(this);
        _watched.Add(signal);

        // Edge-triggered: every signal is an event of its own, and nobody has to read the counter.
        Check(Libc.EpollControl(_epoll, 1, _wake, EpollEvents.Readable | EpollEvents.EdgeTriggered, signal.Watch));
    }

    public TCalls Calls { get; }

    public TimeProvider Time { get; }

    public Action<string> Log { get; }

    /// <summary>When its thread has ended and its descriptors are closed.</summary>
    public Task Ended => _ended.Task;

    /// <summary>
    /// On the reactor: other sockets have something to say in this turn, so a small flush may wait until they had. Sends that follow one another closely wake who reads them once, and a wake-up is
    /// the dearest part of a small send. Where nothing else is to be done, nothing waits.
    /// </summary>
    public bool DefersSends { get; private set; }

    /// <summary>On the reactor: nothing new may begin.</summary>
    public bool IsStopping => _isStopping;

    public void Start() => new Thread(Run) { IsBackground = true, Name = $"Tidegate reactor {Index}" }.UnsafeStart();

    /// <summary>Closes what is still open and ends the thread.</summary>
    public void Stop() => Post(
        static state =>
        {
            var reactor = (EpollReactor<TCalls>)state!;
            foreach (var watched in reactor._watched.All.ToArray())
            {
                watched.OnReactorEnding();
            }

            reactor._isStopping = true;
        },
        this);

    /// <summary>Complains of a turn that does not end. Any thread.</summary>
    public void CheckTurn() => _turns.Check();

    /// <summary>Begins to watch a descriptor. Minus an <see cref="Errno"/> when the system has no room for it.</summary>
    public int Watch(Watched watched, int descriptor, uint events)
    {
        Debug.Assert(IsCurrent, "watched from another thread");
        _watched.Add(watched);
        var result = Calls.Watch(_epoll, descriptor, events, watched.Watch);
        if (result < 0)
        {
            _watched.Remove(watched);
        }

        return result;
    }

    /// <summary>Changes what is waited for.</summary>
    public void ChangeWatch(Watched watched, int descriptor, uint events) => Check(Libc.EpollControl(_epoll, 3, descriptor, events, watched.Watch));

    /// <summary>Sends what the writer has queued before the turn ends.</summary>
    public void Defer(SocketWriter<TCalls> writer)
    {
        Debug.Assert(DefersSends, "deferred where nothing is");
        if (_deferred.Count == 0)
        {
            (_firstDeferred, _callsAtDeferred) = (_event, Counters.Sends + Counters.Receives);
        }

        _deferred.Add(writer);
    }

    /// <summary>Closes a descriptor that is watched; no event of it arrives any more.</summary>
    public void Close(Watched watched, int descriptor)
    {
        Debug.Assert(IsCurrent, "closed on another thread");
        _watched.Remove(watched);
        _ = Libc.Close(descriptor);
    }

    protected override void Wake() => Libc.EventSignal(_wake);

    private void Run()
    {
        Enter();
        SchedulingHint.RunsSoon();
        var events = stackalloc byte[MaxEvents * EpollEvents.MaxSize];
        while (!_isStopping)
        {
            var count = Calls.Wait(_epoll, events, MaxEvents, TrySleep() ? Timeout.Infinite : 0);
            if (count < 0 && count != -Errno.Interrupted)
            {
                throw Errno.ToException(-count);
            }

            Counters.Turns++;
            _turns.Begin();
            for (var i = 0; i < count; i++)
            {
                _event = i;
                DefersSends = i < count - 1;
                if (_watched.Find(EpollEvents.Data(events, i)) is { } watched)
                {
                    Counters.Events++;
                    Run(watched, EpollEvents.Flags(events, i));
                }

                if (_deferred.Count > 0 && (i == count - 1 || i - _firstDeferred >= MaxDeferred || Counters.Sends + Counters.Receives - _callsAtDeferred >= MaxCallsBehindDeferred))
                {
                    SendDeferred();
                }
            }

            DefersSends = false;
            RunPosted();
            _turns.End();
        }

        // What ends has told who waits for it, and these may have more to say.
        while (!TrySleep())
        {
            RunPosted();
        }

        Leave();
        _ = Libc.Close(_wake);
        _ = Libc.Close(_epoll);
        _ended.SetResult();
    }

    private void SendDeferred()
    {
        DefersSends = false;
        foreach (var writer in _deferred)
        {
            Run(new Work(SocketWriter<TCalls>.SendDeferred, writer));
        }

        _deferred.Clear();
    }

    private static int Check(int result) => result >= 0 ? result : throw Errno.ToException(-result);

    private sealed class WakeSignal(EpollReactor<TCalls> reactor) : Watched
    {
        public override void OnEvents(uint events) => reactor.Counters.WakeUps++;

        public override void OnReactorEnding()
        {
            // It wakes the reactor to the last.
        }
    }
}
