namespace Tidegate.Transport;

/// <summary>What a reactor is to run next: posts of its own thread without a lock, posts of others under one.</summary>
internal sealed class WorkQueue
{
    private readonly Lock _gate = new();
    private readonly Queue<Work> _own = new();
    private List<Work> _posted = [];
    private List<Work> _taken = [];
    private bool _isSleeping;

    /// <summary>Adds from the reactor's own thread: runs in this turn's end or in the next.</summary>
    public void Add(Work work) => _own.Enqueue(work);

    /// <summary>Adds from any thread. True when the reactor sleeps and the caller has to wake it; for many posts, one caller learns so.</summary>
    public bool Post(Work work)
    {
        lock (_gate)
        {
            _posted.Add(work);
            var wake = _isSleeping;
            _isSleeping = false;
            return wake;
        }
    }

    /// <summary>False when there is work; else every post wakes from now on.</summary>
    public bool TrySleep()
    {
        if (_own.Count > 0)
        {
            return false;
        }

        lock (_gate)
        {
            return _isSleeping = _posted.Count == 0;
        }
    }

    /// <summary>Runs what is there now, and not what it adds: sockets come first again.</summary>
    public void Run(Reactor reactor)
    {
        lock (_gate)
        {
            _isSleeping = false;
            (_posted, _taken) = (_taken, _posted);
        }

        for (var own = _own.Count; own > 0; own--)
        {
            reactor.Run(_own.Dequeue());
        }

        foreach (var work in _taken)
        {
            reactor.Run(work);
        }

        _taken.Clear();
    }
}

/// <summary>Something to run on a reactor.</summary>
internal readonly record struct Work(Action<object?> Callback, object? State);
