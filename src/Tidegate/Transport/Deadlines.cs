using System.Numerics;

namespace Tidegate.Transport;

/// <summary>
/// All timeouts of a process on one timer. Connections set and clear a time several times for each exchange and almost never reach it, so that must cost
/// nothing: a time is a number in a table, and one sweep looks for those that have passed.
/// </summary>
internal sealed class Deadlines : IDisposable
{
    /// <summary>
    /// How often the sweep looks. The shortest limits in use are a few hundred milliseconds and nobody tells 5.0 from 5.1 s; a sweep over
    /// 10,000 deadlines reads 80 KB, so ten in a second cost less than a thousandth of a core.
    /// </summary>
    public static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(100);

    internal const long NotSet = long.MaxValue;
    internal const long Expired = long.MaxValue - 1;

    private const long Latest = long.MaxValue - 2;

    private readonly Lock _gate = new();
    private readonly List<(DeadlineBlock Block, int Slot)> _free = [];
    private readonly List<Deadline> _due = [];
    private readonly double _timestampTicksPerTick;
    private readonly ITimer _timer;
    private DeadlineBlock[] _blocks = [];
    private long _now;
    private int _sweeping;
    private int _count;

    public Deadlines(TimeProvider time)
    {
        Time = time;
        _timestampTicksPerTick = (double)time.TimestampFrequency / TimeSpan.TicksPerSecond;
        _now = time.GetTimestamp();
        using (ExecutionContext.SuppressFlow())
        {
            _timer = time.CreateTimer(static self => ((Deadlines)self!).Sweep(), this, Tick, Tick);
        }
    }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; }

    /// <summary>Deadlines that exist, armed or not.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>The timestamp of the last sweep: the time to within about one tick, for what needs no better and must not read the clock.</summary>
    public long Now => Volatile.Read(ref _now);

    /// <summary>Makes a deadline, not armed. Keep it for as long as the connection lives.</summary>
    /// <param name="onExpired">Called once, on the timer's thread, and must not throw or wait: shut a socket, cancel a read.</param>
    /// <param name="state">Given to the callback.</param>
    public Deadline Add(Action<object> onExpired, object state)
    {
        lock (_gate)
        {
            if (_free.Count == 0)
            {
                Grow();
            }

            var (block, slot) = _free[^1];
            _free.RemoveAt(_free.Count - 1);
            _count++;
            return block.Owners[slot] = new Deadline(this, block, slot, onExpired, state);
        }
    }

    /// <summary>The timestamp that is a time span later.</summary>
    internal long After(long timestamp, TimeSpan limit)
    {
        // The sum in integers: a timestamp can be too large for a double to hold exactly.
        var span = limit.Ticks * _timestampTicksPerTick;
        return span < Latest - timestamp ? timestamp + (long)span : Latest;
    }

    /// <summary>Ends the timer; nothing expires any more.</summary>
    public void Dispose() => _timer.Dispose();

    internal void Remove(Deadline deadline)
    {
        lock (_gate)
        {
            if (deadline.Block.Owners[deadline.Slot] == deadline)
            {
                deadline.Block.Owners[deadline.Slot] = null;
                Volatile.Write(ref deadline.Block.Due[deadline.Slot], NotSet);
                _free.Add((deadline.Block, deadline.Slot));
                _count--;
            }
        }
    }

    private void Grow()
    {
        var block = new DeadlineBlock();
        for (var slot = DeadlineBlock.Slots - 1; slot >= 0; slot--)
        {
            _free.Add((block, slot));
        }

        Volatile.Write(ref _blocks, [.. _blocks, block]);
    }

    private void Sweep()
    {
        // A sweep that takes longer than a tick is not joined by another.
        if (Interlocked.Exchange(ref _sweeping, 1) == 1)
        {
            return;
        }

        var now = Time.GetTimestamp();
        Volatile.Write(ref _now, now);
        foreach (var block in Volatile.Read(ref _blocks))
        {
            if (AnyDue(block.Due, now))
            {
                Collect(block, now);
            }
        }

        foreach (var deadline in _due)
        {
            deadline.Expire();
        }

        _due.Clear();
        Volatile.Write(ref _sweeping, 0);
    }

    private static bool AnyDue(ReadOnlySpan<long> times, long now)
    {
        var limit = new Vector<long>(now);
        for (var i = 0; i < times.Length; i += Vector<long>.Count)
        {
            if (Vector.LessThanOrEqualAny(new Vector<long>(times[i..]), limit))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Under the lock, so that a place cannot change its owner between the look at its time and the look at its owner.</summary>
    private void Collect(DeadlineBlock block, long now)
    {
        lock (_gate)
        {
            for (var slot = 0; slot < DeadlineBlock.Slots; slot++)
            {
                ref var due = ref block.Due[slot];
                var seen = Volatile.Read(ref due);
                if (seen <= now && block.Owners[slot] is { } owner && Interlocked.CompareExchange(ref due, Expired, seen) == seen)
                {
                    _due.Add(owner);
                }
            }
        }
    }
}
