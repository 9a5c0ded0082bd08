namespace Tidegate.Policies.Limits;

/// <summary>
/// Start-time fair queueing (Goyal, Vin and Cheng, 1996): each flow is served in proportion to its weight, and whoever waits has its turn after a bounded amount
/// of others' work, so that nobody starves. Not thread-safe.
/// </summary>
internal sealed class FairQueue
{
    private readonly PriorityQueue<LimitWaiter, (double Start, long Sequence)> _waiters = new();
    private readonly Dictionary<UInt128, Flow> _flows = [];
    private double _now;
    private long _sequence;

    /// <summary>What the waiting exchanges cost together.</summary>
    public long Cost { get; private set; }

    public int Count { get; private set; }

    public void Enqueue(LimitWaiter waiter)
    {
        if (!_flows.TryGetValue(waiter.Flow, out var flow))
        {
            _flows.Add(waiter.Flow, flow = new Flow());
        }

        var start = Math.Max(_now, flow.Finish);
        flow.Finish = start + ((double)waiter.Cost / waiter.Weight);
        flow.Waiting++;
        _waiters.Enqueue(waiter, (start, _sequence++));
        Count++;
        Cost += waiter.Cost;
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
            _now = Math.Max(_now, priority.Start);
        }

        return false;
    }

    /// <summary>The waiter that <see cref="TryPeek"/> showed goes.</summary>
    public void Dequeue()
    {
        _waiters.TryDequeue(out var waiter, out var priority);
        _now = Math.Max(_now, priority.Start);
        Forget(waiter!);
    }

    /// <summary>A waiter leaves from wherever it stands; its place is cleared when its turn comes.</summary>
    public void Forget(LimitWaiter waiter)
    {
        Count--;
        Cost -= waiter.Cost;
        var flow = _flows[waiter.Flow];
        if (--flow.Waiting == 0)
        {
            // Whoever comes back begins now: waiting elsewhere earns nothing, and having waited costs nothing.
            _flows.Remove(waiter.Flow);
        }

        if (_waiters.Count > 64 && _waiters.Count > Count * 2)
        {
            Compact();
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
        public int Waiting;
    }
}
