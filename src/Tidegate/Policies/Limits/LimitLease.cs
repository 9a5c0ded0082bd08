using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits.Costs;
using Tidegate.Policies.Limits.Learning;
using Tidegate.Policies.Limits.Signals;

namespace Tidegate.Policies.Limits;

/// <summary>What one exchange has taken from the limits of its route, and gives back or settles when its answer is over. Used again and again.</summary>
internal sealed class LimitLease : IAnswerEnding
{
    /// <summary>Limits that one exchange can meet in one stage. Nobody writes sixteen; <c>check</c> holds to it.</summary>
    public const int MaxLimits = 16;

    /// <summary>Those, and what a provider says: a cool-down and eight windows of everybody and of one bucket, as far as there is room.</summary>
    private const int Capacity = MaxLimits + (2 * (Signals.SignalWindows.MaxCount + 1));

    private const int KeptPerThread = 256;

    [ThreadStatic]
    private static Stack<LimitLease>? _free;

    private Charges _charges;
    private LimitStore _store = null!;
    private LimitsPolicy _policy = null!;
    private int _wideCount;
    private int _narrowCount;

    /// <summary>How many limits there are, all with key and cost.</summary>
    public int Count { get; private set; }

    /// <summary>What the provider says, where the policy learns.</summary>
    public LearnedLimits? Learned { get; private set; }

    /// <summary>The provider's bucket that the exchange has taken from; null when none was known.</summary>
    public LearnedScope? Narrow { get; private set; }

    /// <summary>What looks for the cost in the request's content; null where nothing does.</summary>
    public CostedRequest? Content { get; set; }

    /// <summary>One from this thread's stack; back with <see cref="Return"/>.</summary>
    public static LimitLease Rent(LimitsPolicy policy, LimitStore store)
    {
        var lease = (_free ??= new Stack<LimitLease>()).TryPop(out var free) ? free : new LimitLease();
        lease._policy = policy;
        lease._store = store;
        return lease;
    }

    public void Return()
    {
        Count = 0;
        Learned = null;
        Narrow = null;
        Content = null;
        _wideCount = 0;
        _narrowCount = 0;
        if ((_free ??= new Stack<LimitLease>()).Count < KeptPerThread)
        {
            _free.Push(this);
        }
    }

    /// <summary>Adds a limit.</summary>
    /// <param name="limit">Which.</param>
    /// <param name="exchange">Who is to be held to it.</param>
    /// <param name="alike">The index of a limit that tells exchanges apart by the same; -1 when there is none.</param>
    public void Add(Limit limit, Exchange exchange, int alike)
    {
        UInt128 key;
        if (alike < 0)
        {
            limit = limit.Of(exchange, out key);
        }
        else
        {
            key = limit.KeyLike(_charges[alike].Limit, _charges[alike].Key);
        }

        Add(limit, key, limit.ShareOf(exchange), limit.CostOf(exchange));
    }

    /// <summary>Under which key the exchanges of a count's class stand in line.</summary>
    public static UInt128 LineOf(UInt128 key, int share) => key + (UInt128)share;

    /// <summary>Adds what the provider says, and what it will have said by the time that room is found.</summary>
    public void Follow(LearnedLimits learned)
    {
        Learned = learned;
        Extend(learned);
    }

    /// <summary>What was taken from a learned window.</summary>
    /// <param name="window">Which.</param>
    /// <param name="absent">What to say when the window was not known yet.</param>
    public long CostIn(LearnedWindow window, long absent)
    {
        for (var i = 0; i < Count; i++)
        {
            if (ReferenceEquals(_charges[i].Algorithm, window))
            {
                return _charges[i].IsTaken ? _charges[i].Cost : 0;
            }
        }

        return absent;
    }

    public Limit LimitAt(int index) => _charges[index].Limit;

    /// <summary>How it counts for this exchange's class.</summary>
    public LimitAlgorithm AlgorithmAt(int index) => _charges[index].Algorithm;

    public UInt128 KeyAt(int index) => _charges[index].Key;

    /// <summary>Where the exchange waits for it: the line of its class.</summary>
    public UInt128 LineAt(int index) => LineOf(_charges[index].Key, _charges[index].Share);

    public long CostAt(int index) => _charges[index].Cost;

    public bool HasTaken(int index) => _charges[index].IsTaken;

    /// <summary>Takes from every limit, or from none.</summary>
    /// <param name="now">A timestamp.</param>
    /// <param name="wait">Ticks until the refusing limit would have room.</param>
    /// <returns>The index of the limit that refuses; -1 when all were taken. Limits in observe mode never refuse.</returns>
    public int TryTake(long now, out long wait)
    {
        if (Learned is { } learned)
        {
            Extend(learned);
        }

        for (var i = 0; i < Count; i++)
        {
            ref var charge = ref _charges[i];
            wait = _store.Cells.Take(charge.Algorithm, charge.Key, charge.Cost, now);
            charge.IsTaken = wait == 0;
            charge.TakenAt = now;
            if (wait > 0 && charge.Limit.Settings.Mode == PolicyMode.Enforce)
            {
                GiveBack(i, now);
                return i;
            }
        }

        wait = 0;
        return -1;
    }

    /// <summary>Nothing was sent after all: everything is as it was before.</summary>
    public void GiveBack() => GiveBack(Count, _store.Time.GetTimestamp());

    /// <summary>Whether the content of the answer says what something cost.</summary>
    public bool ReadsAnswer
    {
        get
        {
            for (var i = 0; i < Count; i++)
            {
                if (_charges[i].Limit.Settings.Cost.ResponseJson is not null)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>The answer's head is there: where its content says what it cost, that is looked for while it passes.</summary>
    public void Tap(Exchange exchange)
    {
        for (var i = 0; i < Count; i++)
        {
            ref var charge = ref _charges[i];
            if (charge.IsTaken && charge.Limit.Settings.Cost.ResponseJson is { } pointer)
            {
                charge.Tap = CostTap.Put(exchange, pointer);
            }
        }
    }

    /// <summary>The answer is over: what was held is free, what was charged is settled.</summary>
    public void AnswerEnded(Exchange exchange)
    {
        // What is in flight comes back at any time: the clock is asked only for what depends on it.
        var now = _policy.EndsByClock ? _store.Time.GetTimestamp() : 0;
        var hasFreed = false;
        for (var i = 0; i < Count; i++)
        {
            ref var charge = ref _charges[i];
            if (!charge.IsTaken)
            {
                continue;
            }

            if (charge.Limit.IsHeld)
            {
                _store.Cells.Give(charge.Algorithm, charge.Key, charge.Cost, charge.TakenAt, Math.Max(charge.TakenAt, now));
                hasFreed = true;
            }
            else if (charge.Limit.IsSettled)
            {
                if (charge.Tap is null or { Cost: < 0 } && charge.Limit.Settings.Cost.ResponseJson is not null && exchange is { Outcome: Outcome.Forwarded or Outcome.ServedFromCache, ResponseStatus: < 300 })
                {
                    _store.NoteUnreadCost(exchange, UnreadCosts.Answer);
                }

                hasFreed |= Settle(ref charge, charge.Limit.TrueCostOf(exchange, charge.Cost, charge.Tap, Content), now);
                if (charge.Tap is not null)
                {
                    charge.Tap = null;
                }
            }
        }

        if (hasFreed)
        {
            _policy.Queue?.Wake(this);
        }

        Return();
    }

    private void Extend(LearnedLimits learned)
    {
        _wideCount = Append(learned.Wide.Limits(learned.Settings), _wideCount, learned.Content);
        if ((Narrow ??= learned.Narrow) is { } narrow)
        {
            _narrowCount = Append(narrow.Limits(learned.Settings), _narrowCount, learned.Content);
        }
    }

    private int Append(Limit[] limits, int from, WindowContent? content)
    {
        for (; from < limits.Length && Count < Capacity; from++)
        {
            // A call that is counted in a window of its own is not counted in the others.
            if (limits[from].Algorithm is LearnedWindow window && !ReferenceEquals(window.Content, content))
            {
                continue;
            }

            Add(limits[from], limits[from].OnlyKey, share: 0, cost: 1);
        }

        return from;
    }

    /// <summary>Field by field, and no reference that is there already: the same route often finds the lease that it gave back, and the garbage collector minds every reference that is written.</summary>
    private void Add(Limit limit, UInt128 key, int share, long cost)
    {
        ref var charge = ref _charges[Count++];
        if (!ReferenceEquals(charge.Limit, limit))
        {
            charge.Limit = limit;
        }

        charge.Key = key;
        charge.Share = share;
        charge.Cost = cost;
        charge.IsTaken = false;
    }

    private bool Settle(ref Charge charge, long trueCost, long now)
    {
        if (trueCost > charge.Cost)
        {
            _store.Cells.Charge(charge.Algorithm, charge.Key, trueCost - charge.Cost, now);
            return false;
        }

        if (trueCost < charge.Cost)
        {
            _store.Cells.Give(charge.Algorithm, charge.Key, charge.Cost - trueCost, charge.TakenAt, now);
        }

        return trueCost < charge.Cost;
    }

    private void GiveBack(int count, long now)
    {
        for (var i = 0; i < count; i++)
        {
            ref var charge = ref _charges[i];
            if (charge.IsTaken)
            {
                _store.Cells.Give(charge.Algorithm, charge.Key, charge.Cost, charge.TakenAt, now);
                charge.IsTaken = false;
            }
        }
    }

    private struct Charge
    {
        public Limit Limit;
        public CostTap? Tap;
        public UInt128 Key;
        public long Cost;
        public long TakenAt;
        public int Share;
        public bool IsTaken;

        public readonly LimitAlgorithm Algorithm => Limit.AlgorithmOf(Share);
    }

    [InlineArray(Capacity)]
    private struct Charges
    {
        private Charge _first;
    }
}
