namespace Tidegate.Policies.Limits;

/// <summary>
/// A line in two levels: classes are served in proportion to their weights, however many wait of each, and within a class its flows in turn
/// (<see cref="FlowQueue"/>). Start-time fair queueing on both. Not thread-safe.
/// </summary>
internal sealed class FairQueue
{
    private readonly PriorityQueue<Class, (double Start, long Sequence)> _turns = new();
    private readonly Dictionary<UInt128, Class> _classes = [];

    // Classes of which nobody waits and that were served ahead of time, by when they are even.
    private readonly PriorityQueue<UInt128, double> _resting = new();
    private double _now;
    private long _sequence;
    private long _weights;

    // Classes of which all left before their turn, which they still have.
    private int _empty;

    /// <summary>What the waiting exchanges cost together.</summary>
    public long Cost { get; private set; }

    public int Count { get; private set; }

    /// <summary>Classes that are remembered, of whom somebody waits or not.</summary>
    public int Classes => _classes.Count;

    public void Enqueue(LimitWaiter waiter)
    {
        if (!_classes.TryGetValue(waiter.Class, out var one))
        {
            _classes.Add(waiter.Class, one = new Class(waiter.Class, this));
        }

        if (one.Waiters.Count == 0)
        {
            _weights += waiter.Weight;
            if (one.HasTurn)
            {
                _empty--;
            }
            else
            {
                TakeTurn(one);
            }
        }
        else
        {
            _weights += waiter.Weight - one.Weight;
        }

        // After a reload the same class may weigh more or less.
        one.Weight = waiter.Weight;
        one.Waiters.Enqueue(waiter);
        Count++;
        Cost += waiter.Cost;
    }

    /// <summary>How many of a capacity a flow may have where all are full: its class has its weight's part, and of that each flow as much.</summary>
    public long ShareOf(UInt128 key, int weight, int capacity)
    {
        var own = _classes.GetValueOrDefault(key);
        var weights = _weights + (own is { Waiters.Count: > 0 } ? weight - own.Weight : weight);
        return Math.Max(1, (long)capacity * weight / weights / ((own?.Waiters.Flows ?? 0) + 1));
    }

    /// <summary>Exchanges of a flow that wait.</summary>
    public int Waiting(UInt128 key, UInt128 flow) => _classes.TryGetValue(key, out var found) ? found.Waiters.Waiting(flow) : 0;

    /// <summary>What would be served before a newcomer, and how many, if nobody else came.</summary>
    public (long Cost, int Count) Before(UInt128 key, int weight, UInt128 flow)
    {
        if (_classes.Count > FlowQueue.MaxSummed)
        {
            return (Cost, Count);
        }

        var own = _classes.GetValueOrDefault(key);
        var (cost, count) = own?.Waiters.Before(flow) ?? (0, 0);
        var turn = (own is { HasTurn: true } ? own.Start : Math.Max(_now, own?.Finish ?? 0)) + ((double)cost / weight);
        foreach (var other in _classes.Values)
        {
            if (other == own || other.Waiters.Count == 0 || other.Start > turn)
            {
                continue;
            }

            // Whose turn is at the same time was there first.
            var average = other.Waiters.Cost / other.Waiters.Count;
            var part = (long)Math.Min(other.Waiters.Cost, ((turn - other.Start) * other.Weight) + average);
            cost += part;
            count += CountOf(part, other.Waiters.Cost, other.Waiters.Count);
        }

        return (cost, count);
    }

    /// <summary>How many of those who wait stand for a part of what they cost together.</summary>
    public static int CountOf(long part, long cost, int count) => cost == 0 ? count : (int)Math.Ceiling((double)part / cost * count);

    /// <summary>Whose turn it is.</summary>
    public bool TryPeek(out LimitWaiter waiter)
    {
        while (_turns.TryPeek(out var one, out _))
        {
            if (one.Waiters.TryPeek(out waiter))
            {
                return true;
            }

            // All of them left meanwhile.
            _turns.Dequeue();
            _empty--;
            one.HasTurn = false;
            Rest(one);
        }

        waiter = null!;
        return false;
    }

    /// <summary>The waiter that <see cref="TryPeek"/> showed goes.</summary>
    public void Dequeue()
    {
        var one = _turns.Dequeue();
        var weights = _weights;
        var waiter = one.Waiters.Dequeue();
        Forget(waiter, one);
        one.HasTurn = false;
        one.Finish = one.Start + ((double)waiter.Cost / one.Weight);
        Advance(Math.Max(one.Start, _now + ((double)waiter.Cost / Math.Max(1, weights))));
        if (one.Waiters.Count > 0)
        {
            TakeTurn(one);
        }
        else
        {
            Rest(one);
        }
    }

    /// <summary>A waiter leaves from wherever it stands, without having been served; its place is cleared when its turn comes.</summary>
    public void Leave(LimitWaiter waiter)
    {
        var one = _classes[waiter.Class];
        one.Waiters.Leave(waiter);
        Forget(waiter, one);
        _empty += one.Waiters.Count == 0 ? 1 : 0;
        if (_empty > 64 && _empty > _turns.Count / 2)
        {
            Compact();
        }
    }

    private void TakeTurn(Class one)
    {
        one.Start = Math.Max(_now, one.Finish);
        one.HasTurn = true;
        _turns.Enqueue(one, (one.Start, _sequence++));
    }

    private void Forget(LimitWaiter waiter, Class one)
    {
        Count--;
        Cost -= waiter.Cost;
        _weights -= one.Waiters.Count == 0 ? one.Weight : 0;
    }

    /// <summary>Nobody of the class waits: what it was served ahead of time is remembered until it is even.</summary>
    private void Rest(Class one)
    {
        if (one.Finish <= _now)
        {
            _classes.Remove(one.Key);
        }
        else
        {
            _resting.Enqueue(one.Key, one.Finish);
        }
    }

    /// <summary>Clears the turns of classes of which all left, when they are more than the others.</summary>
    private void Compact()
    {
        var stay = new List<(Class, (double, long))>();
        foreach (var (one, turn) in _turns.UnorderedItems)
        {
            if (one.Waiters.Count > 0)
            {
                stay.Add((one, turn));
                continue;
            }

            one.HasTurn = false;
            Rest(one);
        }

        _turns.Clear();
        _turns.EnqueueRange(stay);
        _empty = 0;
    }

    /// <summary>Virtual time goes on; classes that are even with it are no different from new ones.</summary>
    private void Advance(double to)
    {
        _now = Math.Max(_now, to);
        while (_resting.TryPeek(out var key, out var finish) && finish <= _now)
        {
            _resting.Dequeue();
            if (_classes.TryGetValue(key, out var one) && !one.HasTurn && one.Finish <= _now)
            {
                _classes.Remove(key);
            }
        }
    }

    private sealed class Class(UInt128 key, FairQueue line)
    {
        public readonly UInt128 Key = key;
        public readonly FlowQueue Waiters = new(line);

        /// <summary>Where its next turn is, and where its last one ended.</summary>
        public double Start;
        public double Finish;

        public int Weight = 1;
        public bool HasTurn;
    }
}
