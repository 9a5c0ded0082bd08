namespace Tidegate.Policies.Limits;

/// <summary>
/// Start-time fair queueing (Goyal, Vin and Cheng, 1996): each flow is served in proportion to its weight, and whoever waits has its turn after a bounded amount
/// of others' work, so that nobody starves. A flow that was served and comes back soon is behind those that waited meanwhile. Not thread-safe.
/// </summary>
internal sealed class FairQueue
{
    // Beyond so many flows what stands before a newcomer is not summed up flow by flow: all of it does.
    private const int MaxSummed = 1_000;

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
        flow.Weight = waiter.Weight;
        flow.Finish = start + ((double)waiter.Cost / waiter.Weight);
        flow.Cost += waiter.Cost;
        Flows += flow.Waiting++ == 0 ? 1 : 0;
        _waiters.Enqueue(waiter, (start, _sequence++));
        Count++;
        Cost += waiter.Cost;
    }

    /// <summary>Exchanges of a flow that wait.</summary>
    public int Waiting(UInt128 flow) => _flows.TryGetValue(flow, out var found) ? found.Waiting : 0;

    /// <summary>What would be served before a newcomer of a flow, if nobody else came: its own flow's, and of the others what has its turn earlier.</summary>
    public long CostBefore(UInt128 flow)
    {
        if (_flows.Count > MaxSummed)
        {
            return Cost;
        }

        var own = _flows.GetValueOrDefault(flow);
        var start = Math.Max(_now, own?.Finish ?? 0);
        var before = own?.Cost ?? 0;
        foreach (var other in _flows.Values)
        {
            if (other != own)
            {
                before += Math.Clamp(other.Cost - (long)Math.Max(0, (other.Finish - start) * other.Weight), 0, other.Cost);
            }
        }

        return before;
    }

    /// <summary>Whose turn it is.</summary>
    public bool TryPeek(out LimitWaiter waiter)
    {
        while (_waiters.TryPeek(out waiter!, out var priority))
        {
            if (waiter.IsWaiting && waiter.Line == this)
            {
                return true;
            }

            // Left meanwhile, and was subtracted then.
            _waiters.Dequeue();
            Advance(priority.Start);
        }

        return false;
    }

    /// <summary>The waiter that <see cref="TryPeek"/> showed goes.</summary>
    public void Dequeue()
    {
        _waiters.TryDequeue(out var waiter, out var priority);
        Forget(waiter!);
        Advance(priority.Start);
    }

    /// <summary>A waiter leaves from wherever it stands, without having been served; its place is cleared when its turn comes.</summary>
    public void Leave(LimitWaiter waiter)
    {
        var flow = _flows[waiter.Flow];
        flow.Finish -= (double)waiter.Cost / waiter.Weight;
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
        var stay = _waiters.UnorderedItems.Where(item => item.Element.IsWaiting && item.Element.Line == this).ToList();
        _waiters.Clear();
        _waiters.EnqueueRange(stay);
    }

    private sealed class Flow
    {
        public double Finish;
        public int Weight = 1;
        public int Waiting;
        public long Cost;
    }
}
