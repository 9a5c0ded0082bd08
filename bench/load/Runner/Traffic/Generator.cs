namespace Tidegate.Load.Traffic;

/// <summary>
/// Drives one port from one thread. Closed loop: every connection sends as soon as it has its answer. Open loop: arrivals are Poisson at a fixed
/// rate, each takes a free connection or waits for one, and its latency counts from the time at which it was meant to be sent, so that a stalled
/// proxy cannot hide its stall.
/// </summary>
internal sealed class Generator : IDisposable
{
    private readonly Epoll _epoll = new();
    private readonly LoadConnection[] _connections;
    private readonly Queue<int> _free = new();
    private readonly Queue<long> _waiting = new();
    private readonly Random _random = new(20_000);
    private readonly List<long> _latencies = new(1 << 20);
    private readonly int _port;
    private readonly double _rate;
    private readonly byte[] _request;
    private bool _counts;
    private long _errors;
    private long _nextArrival;

    public Generator(int port, int connections, double rate, RequestShape request)
    {
        _port = port;
        _rate = rate;
        _request = request.ToBytes();
        _connections = new LoadConnection[connections];
        for (var i = 0; i < connections; i++)
        {
            Connect(i);
            _free.Enqueue(i);
        }
    }

    /// <summary>Goes on from where it was, so that a first call can warm up.</summary>
    /// <param name="seconds">How long.</param>
    /// <param name="counts">Whether answers are counted.</param>
    public Measurement Run(double seconds, bool counts)
    {
        _counts = counts;
        _latencies.Clear();
        _errors = 0;
        var began = Clock.Now;
        var end = began + (long)(seconds * Clock.Second);
        _nextArrival = Math.Max(began, _nextArrival);
        for (var now = began; now < end; now = Clock.Now)
        {
            Start(now, end);
            var count = _epoll.Wait(_rate == 0 ? end - now : Math.Max(0, Math.Min(end, _nextArrival) - now));
            for (var i = 0; i < count; i++)
            {
                Serve(_epoll.Event(i));
            }
        }

        // Those that were meant to be answered and are not: they would be the slowest.
        var unanswered = _connections.Length - _free.Count + _waiting.Count;
        return Measurement.Of(_latencies, _errors, _rate == 0 ? 0 : unanswered, (Clock.Now - began) / (double)Clock.Second);
    }

    public void Dispose()
    {
        foreach (var connection in _connections)
        {
            connection.Dispose();
        }

        _epoll.Dispose();
    }

    private void Start(long now, long end)
    {
        if (_rate == 0)
        {
            while (_free.TryDequeue(out var free))
            {
                Begin(free, now);
            }

            return;
        }

        for (; _nextArrival <= now && _nextArrival < end; _nextArrival += (long)(-Math.Log(1 - _random.NextDouble()) / _rate * Clock.Second))
        {
            _waiting.Enqueue(_nextArrival);
        }

        while (_waiting.Count > 0 && _free.TryDequeue(out var free))
        {
            Begin(free, _waiting.Dequeue());
        }
    }

    private void Begin(int index, long intended)
    {
        if (!_connections[index].Begin(intended))
        {
            _epoll.Rewatch(_connections[index].Socket, index, Epoll.Readable | Epoll.Writable);
        }
    }

    private void Serve((long Data, uint Events) ready)
    {
        var index = (int)ready.Data;
        var connection = _connections[index];
        if ((ready.Events & Epoll.Writable) != 0 && connection.Continue())
        {
            _epoll.Rewatch(connection.Socket, index, Epoll.Readable);
        }

        if ((ready.Events & ~Epoll.Writable) == 0)
        {
            return;
        }

        switch (connection.Read())
        {
            case ReadOutcome.Partial:
                return;
            case ReadOutcome.Answered:
                if (_counts)
                {
                    _latencies.Add(Clock.Now - connection.Intended);
                }

                break;
            default:
                _errors++;
                connection.Dispose();
                Connect(index);
                break;
        }

        _free.Enqueue(index);
    }

    private void Connect(int index)
    {
        _connections[index] = new LoadConnection(_port, _request);
        _epoll.Watch(_connections[index].Socket, index);
    }
}
