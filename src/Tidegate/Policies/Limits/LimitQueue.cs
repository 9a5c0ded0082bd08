using Tidegate.Exchanges;

namespace Tidegate.Policies.Limits;

/// <summary>
/// Where exchanges of one API wait for room. Each waits in the line of the count that refused it, and lines move when time frees their count or somebody gives
/// back: nothing polls, and one timer serves all. Whoever cannot be served in time is told so at once.
/// </summary>
internal sealed class LimitQueue : IDisposable
{
    // A dispatch that keeps finding exchanges that other counts refuse goes on later, so that the lock is not held for long.
    private const int MaxMoves = 64;

    // Of so many whose time is over at once it is found out how long each would have waited on; the others are told the time that all who stay need.
    private const int MaxRests = 64;

    private const double MaxTimerMilliseconds = 86_400_000;

    private readonly Lock _gate = new();
    private readonly LimitCells _cells;
    private readonly TimeProvider _time;
    private readonly Dictionary<UInt128, Line> _lines = [];
    private readonly PriorityQueue<Line, long> _wakes = new();
    private readonly PriorityQueue<LimitWaiter, long> _deadlines = new();
    private readonly ITimer _timer;
    private long _timerAt = long.MaxValue;
    private int _count;
    private uint _turn;

    public LimitQueue(LimitCells cells, TimeProvider time)
    {
        _cells = cells;
        _time = time;
        using (ExecutionContext.SuppressFlow())
        {
            _timer = time.CreateTimer(static queue => ((LimitQueue)queue!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Exchanges that wait.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Exchanges of this count that wait, and what they cost.</summary>
    public (int Count, long Cost) Waiting(UInt128 key)
    {
        lock (_gate)
        {
            return _lines.TryGetValue(key, out var line) ? (line.Queue.Count, line.Queue.Cost) : (0, 0);
        }
    }

    /// <summary>
    /// Takes everything, or joins the line of what refuses. An exchange never passes others that wait for the same count.
    /// </summary>
    /// <param name="lease">What is to be taken.</param>
    /// <param name="exchange">Whose it is.</param>
    /// <param name="settings">How it waits.</param>
    /// <param name="mayWait">Whether it may join a line; else what refuses, or for whom others wait, is only told.</param>
    /// <param name="now">A timestamp.</param>
    /// <param name="entry">What came of it.</param>
    /// <returns>What to await; null when the exchange passes, or is refused, as the entry says.</returns>
    public LimitWaiter? Enter(LimitLease lease, Exchange exchange, QueueSettings settings, bool mayWait, long now, out QueueEntry entry)
    {
        List<LimitWaiter>? served = null;
        LimitWaiter? waiter;
        lock (_gate)
        {
            // Before anything is looked at: who gives back from here on sees that somebody may wait, and waits for this lock.
            Interlocked.Increment(ref _count);
            ServeDue(lease, now, ref served);
            waiter = TakeOrJoin(lease, exchange, settings, mayWait, now, out entry);
            if (waiter is null)
            {
                Interlocked.Decrement(ref _count);
            }
        }

        if (served is not null)
        {
            Resume(served);
        }

        return waiter;
    }

    /// <summary>A waiter's client has gone.</summary>
    public void Leave(LimitWaiter waiter)
    {
        lock (_gate)
        {
            if (!waiter.IsWaiting)
            {
                return;
            }

            Remove(waiter, WaitResult.Left);
        }

        waiter.Resume();
    }

    /// <summary>Something was given back to counts of this lease.</summary>
    public void Wake(LimitLease lease)
    {
        if (Count == 0)
        {
            return;
        }

        var done = new List<LimitWaiter>();
        lock (_gate)
        {
            var now = _time.GetTimestamp();
            for (var i = 0; i < lease.Count; i++)
            {
                DispatchAll(lease, i, now, done);
            }

            Schedule(now);
        }

        Resume(done);
    }

    /// <summary>A count was changed from outside, for better or worse: who waits for it looks again.</summary>
    public void Wake(UInt128 key)
    {
        var done = new List<LimitWaiter>();
        lock (_gate)
        {
            var now = _time.GetTimestamp();
            if (_lines.TryGetValue(key, out var line))
            {
                Dispatch(line, now, done);
            }

            Schedule(now);
        }

        Resume(done);
    }

    public void Dispose() => _timer.Dispose();

    private static void Resume(List<LimitWaiter> done)
    {
        foreach (var waiter in done)
        {
            waiter.Resume();
        }
    }

    private static UInt128 FlowOf(KeyPart part, Exchange exchange)
    {
        const int MaxBytes = 256;
        Span<byte> value = stackalloc byte[MaxBytes];
        var length = part.Write(exchange, value);

        // Who shares a flow with whom by accident shares a turn, nothing more: no secret is needed.
        return SipHash.Compute(default, value[..Math.Max(0, length)]);
    }

    private static (UInt128 Class, int Weight) ClassOf(QueueSettings settings, Exchange exchange)
    {
        if (settings.WeightBy is not { } part)
        {
            return (0, 1);
        }

        const int MaxBytes = 256;
        Span<byte> value = stackalloc byte[MaxBytes];
        var written = value[..Math.Max(0, part.Write(exchange, value))];
        if (written.Length > 0 && settings.Weights.TryGetValue(System.Text.Encoding.UTF8.GetString(written), out var weight))
        {
            return (SipHash.Compute(default, written), weight);
        }

        // Whoever makes up values would else have a share for each.
        return (part.IsChosenByCallers ? 0 : SipHash.Compute(default, written), 1);
    }

    /// <summary>At the bound only flows with less than their share of it may still come, and at twice the bound nobody: one flow, or class, cannot keep the others out.</summary>
    private bool IsFull(int capacity, Line? line, UInt128 ofClass, int weight, UInt128 flow) =>
        _count > capacity && (_count > (long)capacity * 2 || line is null || line.Queue.Waiting(ofClass, flow) >= line.Queue.ShareOf(ofClass, weight, capacity));

    /// <summary>The first count of the lease for which others wait already; -1 when there is none.</summary>
    private int LineOf(LimitLease lease)
    {
        for (var i = 0; i < lease.Count && _lines.Count > 0; i++)
        {
            if (lease.LimitAt(i).Settings.Mode == PolicyMode.Enforce && _lines.TryGetValue(lease.LineAt(i), out var line) && line.Queue.Count > 0)
            {
                return i;
            }
        }

        return -1;
    }

    private LimitWaiter? TakeOrJoin(LimitLease lease, Exchange exchange, QueueSettings settings, bool mayWait, long now, out QueueEntry entry)
    {
        var refusing = LineOf(lease);
        var wait = 0L;
        if (refusing < 0)
        {
            refusing = lease.TryTake(now, out wait);
            if (refusing < 0)
            {
                entry = new QueueEntry(-1, 0);
                return null;
            }
        }

        // :: What refuses, and how long that will be, behind those who have their turn before.
        var limit = lease.LimitAt(refusing);
        var line = _lines.GetValueOrDefault(lease.LineAt(refusing));
        var flow = FlowOf(settings.FairBy, exchange);
        var (ofClass, weight) = ClassOf(settings, exchange);
        var before = line?.Queue.Before(ofClass, weight, flow) ?? (Cost: 0, Count: 0);
        var (expected, isEstimate) = line is null ? (wait, false) : Expected(line, lease, refusing, before.Cost, now);
        entry = new QueueEntry(refusing, expected, Position: before.Count);
        var longest = LongestWait(limit, exchange, settings, now);
        if (!mayWait || limit.Settings.WhenExceeded == WhenExceeded.Reject || IsTooLong(expected, isEstimate, longest) || IsFull(settings.Capacity, line, ofClass, weight, flow))
        {
            return null;
        }

        var waiter = new LimitWaiter(this, lease, exchange) { Deadline = now + longest, Class = ofClass, Weight = weight, Flow = flow };
        Join(waiter, refusing, wait, now);
        _deadlines.Enqueue(waiter, waiter.Deadline);
        Schedule(now);
        return waiter;
    }

    /// <summary>How long it takes until there is room behind those before: what the count says, else what it took those who were served of late.</summary>
    private (long Ticks, bool IsEstimate) Expected(Line line, LimitLease lease, int index, long ahead, long now)
    {
        var cost = lease.CostAt(index);
        var known = _cells.WaitBehind(lease.AlgorithmAt(index), lease.KeyAt(index), ahead, cost, now);
        return known == LimitAlgorithm.UntilReleased && line.Pace.TryEstimate(ahead + cost, out var estimate) ? (estimate, true) : (known, false);
    }

    /// <summary>Nobody is sent away for an estimate that others' ends can easily prove wrong.</summary>
    private static bool IsTooLong(long expected, bool isEstimate, long longest) =>
        expected != LimitAlgorithm.UntilReleased && expected > (isEstimate ? longest + (longest / 4) : longest);

    /// <summary>As long as the limit lets wait, and there is time for the call itself.</summary>
    private long LongestWait(Limit limit, Exchange exchange, QueueSettings settings, long now)
    {
        var longest = (long)(limit.Settings.MaxWait.TotalSeconds * _time.TimestampFrequency);
        if (settings.Total is { } total && exchange.Timings.Received > 0)
        {
            longest = Math.Min(longest, Math.Max(0, exchange.Timings.Received + (long)(total.TotalSeconds * _time.TimestampFrequency) - now));
        }

        return longest;
    }

    /// <summary>Room that time has made belongs to those who wait for it, of whatever class, before a newcomer of another class sees it.</summary>
    private void ServeDue(LimitLease lease, long now, ref List<LimitWaiter>? served)
    {
        for (var i = 0; i < lease.Count; i++)
        {
            var lines = lease.LimitAt(i).Lines;
            for (var share = 0; lines > 1 && share < lines; share++)
            {
                if (_lines.TryGetValue(LimitLease.LineOf(lease.KeyAt(i), share), out var line) && line.WakeAt <= now)
                {
                    Dispatch(line, now, served ??= []);
                }
            }
        }
    }

    /// <summary>All classes that wait for a count have their turn, another one first each time.</summary>
    private void DispatchAll(LimitLease lease, int index, long now, List<LimitWaiter> done)
    {
        var lines = lease.LimitAt(index).Lines;
        var first = lines == 1 ? 0 : (int)(_turn++ % (uint)lines);
        for (var i = 0; i < lines; i++)
        {
            if (_lines.TryGetValue(LimitLease.LineOf(lease.KeyAt(index), (first + i) % lines), out var line))
            {
                Dispatch(line, now, done);
            }
        }
    }

    private void Join(LimitWaiter waiter, int refusing, long wait, long now)
    {
        var key = waiter.Lease.LineAt(refusing);
        if (!_lines.TryGetValue(key, out var line))
        {
            _lines.Add(key, line = new Line(key));
        }

        waiter.Cost = waiter.Lease.CostAt(refusing);
        waiter.Line = line.Queue;
        waiter.LineKey = key;
        waiter.Refusing = refusing;
        line.Queue.Enqueue(waiter);
        if (line.WakeAt == long.MaxValue && wait < LimitAlgorithm.UntilReleased)
        {
            SetWake(line, now + wait);
        }
    }

    private void Dispatch(Line line, long now, List<LimitWaiter> done)
    {
        var moves = 0;
        line.WakeAt = long.MaxValue;
        while (line.Queue.TryPeek(out var waiter))
        {
            var refusing = waiter.Lease.TryTake(now, out var wait);
            if (refusing < 0)
            {
                line.Queue.Dequeue();
                line.Pace.Served(waiter.Cost, now);
                waiter.Decide(WaitResult.Admitted);
                Interlocked.Decrement(ref _count);
                done.Add(waiter);
                continue;
            }

            if (waiter.Lease.LineAt(refusing) == line.Key)
            {
                if (wait < LimitAlgorithm.UntilReleased)
                {
                    SetWake(line, now + wait);
                }

                return;
            }

            // This count has room and another has not: it waits there, if that lets wait and so long, and whoever is next here may pass.
            line.Queue.Dequeue();
            var limit = waiter.Lease.LimitAt(refusing);
            if (limit.Settings.WhenExceeded == WhenExceeded.Reject || (wait != LimitAlgorithm.UntilReleased && wait > waiter.Deadline - now))
            {
                waiter.Refuse(limit, wait);
                Interlocked.Decrement(ref _count);
                done.Add(waiter);
                continue;
            }

            Join(waiter, refusing, wait, now);
            if (++moves == MaxMoves)
            {
                SetWake(line, now);
                return;
            }
        }

        line.WakeAt = long.MaxValue;
        _lines.Remove(line.Key);
    }

    private void Remove(LimitWaiter waiter, WaitResult result)
    {
        waiter.Decide(result);
        waiter.Line!.Leave(waiter);
        Interlocked.Decrement(ref _count);
        if (waiter.Line.Count == 0 && _lines.Remove(waiter.LineKey, out var line))
        {
            line.WakeAt = long.MaxValue;
        }
    }

    private void SetWake(Line line, long at)
    {
        line.WakeAt = at;
        _wakes.Enqueue(line, at);
    }

    private void OnTimer()
    {
        var done = new List<LimitWaiter>();
        lock (_gate)
        {
            var now = _time.GetTimestamp();
            _timerAt = long.MaxValue;
            List<(LimitWaiter, Line)>? tooLong = null;
            while (_wakes.TryPeek(out var line, out var at) && at <= now)
            {
                _wakes.Dequeue();
                if (line.WakeAt == at)
                {
                    Dispatch(line, now, done);
                }
            }

            while (_deadlines.TryPeek(out var waiter, out var deadline) && (deadline <= now || !waiter.IsWaiting))
            {
                _deadlines.Dequeue();
                if (waiter.IsWaiting)
                {
                    (tooLong ??= []).Add((waiter, _lines[waiter.LineKey]));
                    Remove(waiter, WaitResult.TooLong);
                    done.Add(waiter);
                }
            }

            TellRest(tooLong ?? [], now);
            Schedule(now);
        }

        Resume(done);
    }

    /// <summary>Those whose time is over learn how long it would be if they came again now: behind those who stay, and not behind one another.</summary>
    private void TellRest(List<(LimitWaiter Waiter, Line Line)> tooLong, long now)
    {
        for (var i = 0; i < tooLong.Count; i++)
        {
            var (waiter, line) = tooLong[i];
            var ahead = i < MaxRests ? line.Queue.Before(waiter.Class, waiter.Weight, waiter.Flow).Cost : line.Queue.Cost;
            waiter.RestTicks = Expected(line, waiter.Lease, waiter.Refusing, ahead, now).Ticks;
        }
    }

    /// <summary>Sets the timer to the earliest of what is to come, if that is earlier than what it is set to.</summary>
    private void Schedule(long now)
    {
        Compact();
        while (_wakes.TryPeek(out var line, out var at) && line.WakeAt != at)
        {
            _wakes.Dequeue();
        }

        while (_deadlines.TryPeek(out var gone, out _) && !gone.IsWaiting)
        {
            _deadlines.Dequeue();
        }

        var earliest = Math.Min(
            _wakes.TryPeek(out _, out var wake) ? wake : long.MaxValue,
            _deadlines.TryPeek(out _, out var deadline) ? deadline : long.MaxValue);
        if (earliest >= _timerAt)
        {
            return;
        }

        _timerAt = earliest;

        // Up to the next millisecond, which is as fine as timers are: too early would find no room and set it again.
        // What is farther away than timers reach is looked at again on the way.
        var milliseconds = Math.Ceiling(Math.Max(0, earliest - now) * 1000.0 / _time.TimestampFrequency);
        _timer.Change(TimeSpan.FromMilliseconds(Math.Min(milliseconds, MaxTimerMilliseconds)), Timeout.InfiniteTimeSpan);
    }

    /// <summary>Lets go of those that have passed or left and whose time is not yet on top, when they are more than those who wait.</summary>
    private void Compact()
    {
        const int Few = 64;
        if (_deadlines.Count > Few + (_count * 2))
        {
            var waiting = _deadlines.UnorderedItems.Where(item => item.Element.IsWaiting).ToList();
            _deadlines.Clear();
            _deadlines.EnqueueRange(waiting);
        }

        if (_wakes.Count > Few + (_lines.Count * 2))
        {
            var due = _wakes.UnorderedItems.Where(item => item.Element.WakeAt == item.Priority).ToList();
            _wakes.Clear();
            _wakes.EnqueueRange(due);
        }
    }

    private sealed class Line(UInt128 key)
    {
        public UInt128 Key { get; } = key;

        public FairQueue Queue { get; } = new();

        /// <summary>How fast those who wait here are served.</summary>
        public ServicePace Pace { get; } = new();

        /// <summary>When time will have made room; <see cref="long.MaxValue"/> when only a release does.</summary>
        public long WakeAt { get; set; } = long.MaxValue;
    }
}

/// <summary>What came of asking for everything at once.</summary>
/// <param name="Refusing">The index of the limit that has no room; -1 when everything was taken.</param>
/// <param name="ExpectedTicks">When it would, as far as that can be told.</param>
/// <param name="Position">How many have their turn before, if nobody else comes.</param>
internal readonly record struct QueueEntry(int Refusing, long ExpectedTicks, int Position = 0);
