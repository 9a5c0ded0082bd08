namespace Tidegate.Policies.Limits;

/// <summary>
/// Who waits of one class: start-time fair queueing (Goyal, Vin and Cheng, 1996) among its flows, all alike. Whoever waits has its turn after a bounded amount
/// of others' work, so that nobody starves. A flow that was served and comes back soon is behind those that waited meanwhile. Not thread-safe.
/// </summary>
internal sealed class FlowQueue(FairQueue line)
{
    /// <summary>Beyond so many flows, or classes, what stands before a newcomer is not summed up one by one: all of it does.</summary>
    public const int MaxSummed = 1_000;

    private readonly PriorityQueue<LimitWaiter, (double Start, long Sequence)> _waiters = new();
    private readonly Dictionary<UInt128, Flow> _flows = [];

    // Flows of which nobody waits and that were served ahead of time, by when they are even.
    private readonly PriorityQueue<UInt128, double> _resting = new();
    private double _now;
    private long _sequence;

    /// <summary>What the waiting exchanges cost together.</summary>
    public long Cost { get; private set; }

    public int Count { get; private set; }

    /// <summary>Flows of which somebody waits.</summary>
    public int Flows { get; private set; }

    public void Enqueue(LimitWaiter waiter)
    {
        if (!_flows.TryGetValue(waiter.Flow, out var flow))
        {
            _flows.Add(waiter.Flow, flow = new Flow());
        }

        var start = Math.Max(_now, flow.Finish);
        flow.Finish = start + waiter.Cost;
        flow.Cost += waiter.Cost;
        Flows += flow.Waiting++ == 0 ? 1 : 0;
        _waiters.Enqueue(waiter, (start, _sequence++));
        Count++;
        Cost += waiter.Cost;
    }

    /// <summary>Exchanges of a flow that wait.</summary>
    public int Waiting(UInt128 flow) => _flows.TryGetValue(flow, out var found) ? found.Waiting : 0;

    /// <summary>What would be served before a newcomer of a flow, if nobody else came: its own flow's, and of the others what has its turn earlier.</summary>
    public (long Cost, int Count) Before(UInt128 flow)
    {
        if (_flows.Count > MaxSummed)
        {
            return (Cost, Count);
        }

        var own = _flows.GetValueOrDefault(flow);
        var start = Math.Max(_now, own?.Finish ?? 0);
        var (cost, count) = (own?.Cost ?? 0, own?.Waiting ?? 0);
        foreach (var other in _flows.Values)
        {
            var head = other.Finish - other.Cost;
            if (other == own || other.Waiting == 0 || head > start)
            {
                continue;
            }

            // Whose turn is at the same time was there first.
            var part = (long)Math.Min(other.Cost, start - head + (other.Cost / other.Waiting));
            cost += part;
            count += FairQueue.CountOf(part, other.Cost, other.Waiting);
        }

        return (cost, count);
    }

    /// <summary>Whose turn it is.</summary>
    public bool TryPeek(out LimitWaiter waiter)
    {
        while (_waiters.TryPeek(out waiter!, out var priority))
        {
            if (waiter.IsWaiting && waiter.Line == line)
            {
                return true;
            }

            // Left meanwhile, and was subtracted then.
            _waiters.Dequeue();
            Advance(priority.Start);
        }

        return false;
    }

    /// <summary>
    /// The waiter that <see cref="TryPeek"/> showed goes. Time goes on by what each flow would have had of it at least: where strangers come all the time, each with its first
    /// turn, those who have waited for their second have it before strangers of later.
    /// </summary>
    public LimitWaiter Dequeue()
    {
        _waiters.TryDequeue(out var waiter, out var priority);
        var aged = _now + ((double)waiter!.Cost / Math.Max(1, Flows));
        Forget(waiter);
        Advance(Math.Max(priority.Start, aged));
        return waiter;
    }

    /// <summary>A waiter leaves from wherever it stands, without having been served; its place is cleared when its turn comes.</summary>
    public void Leave(LimitWaiter waiter)
    {
        var flow = _flows[waiter.Flow];
        flow.Finish -= waiter.Cost;
        Forget(waiter);
        if (_waiters.Count > 64 && _waiters.Count > Count * 2)
        {
            Compact();
        }
    }

    private void Forget(LimitWaiter waiter)
    {
        Count--;
        Cost -= waiter.Cost;
        var flow = _flows[waiter.Flow];
        flow.Cost -= waiter.Cost;
        if (--flow.Waiting > 0)
        {
            return;
        }

        Flows--;
        if (flow.Finish <= _now)
        {
            _flows.Remove(waiter.Flow);
        }
        else
        {
            _resting.Enqueue(waiter.Flow, flow.Finish);
        }
    }

    /// <summary>Virtual time goes on; flows that are even with it are no different from new ones.</summary>
    private void Advance(double to)
    {
        _now = Math.Max(_now, to);
        while (_resting.TryPeek(out var key, out var finish) && finish <= _now)
        {
            _resting.Dequeue();
            if (_flows.TryGetValue(key, out var flow) && flow.Waiting == 0 && flow.Finish <= _now)
            {
                _flows.Remove(key);
            }
        }
    }

    /// <summary>Clears the places of those who left, when they are more than those who stay.</summary>
    private void Compact()
    {
        var stay = _waiters.UnorderedItems.Where(item => item.Element.IsWaiting && item.Element.Line == line).ToList();
        _waiters.Clear();
        _waiters.EnqueueRange(stay);
    }

    private sealed class Flow
    {
        public double Finish;
        public int Waiting;
        public long Cost;
    }
}
