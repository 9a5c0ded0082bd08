using System.Numerics;

namespace Tidegate.Transport;

/// <summary>
/// All timeouts of a process on one timer. Connections set and clear a time several times for each exchange and almost never reach it, so that must cost
/// nothing: a time is a number in a table, and a sweep looks for those that have passed when the earliest of them may have. Where nothing is due nothing wakes.
/// </summary>
internal sealed class Deadlines : IDisposable
{
    /// <summary>
    /// How often the sweep looks at most. The shortest limits in use are a few hundred milliseconds and nobody tells 5.0 from 5.1 s; a sweep over
    /// 10,000 deadlines reads 80 KB, so ten in a second cost less than a thousandth of a core. Under load most are cleared before their time, and it looks about once in a second.
    /// </summary>
    public static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(100);

    internal const long NotSet = long.MaxValue;
    internal const long Expired = long.MaxValue - 1;

    private const long Latest = long.MaxValue - 2;
    private const long Never = long.MaxValue;

    // Timers reach 49 days; what is farther away is looked at on the way.
    private static readonly TimeSpan LongestRest = TimeSpan.FromDays(1);

    private readonly Lock _gate = new();
    private readonly List<(DeadlineBlock Block, int Slot)> _free = [];
    private readonly List<Deadline> _due = [];
    private readonly double _timestampTicksPerTick;
    private readonly ITimer _timer;
    private DeadlineBlock[] _blocks = [];
    private int _count;

    // When the next sweep is due. MaxValue while one looks: then every time that is set says so, because the look may have passed its place.
    private long _nextSweep = Never;
    private long _hastened = Never;
    private bool _isSweeping;

    public Deadlines(TimeProvider time)
    {
        Time = time;
        _timestampTicksPerTick = (double)time.TimestampFrequency / TimeSpan.TicksPerSecond;
        using (ExecutionContext.SuppressFlow())
        {
            _timer = time.CreateTimer(static self => ((Deadlines)self!).Sweep(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; }

    /// <summary>Deadlines that exist, armed or not.</summary>
    public int Count => Volatile.Read(ref _count);

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

    /// <summary>After a time was written: sees to it that a sweep comes soon enough. The write must be visible to other cores, which an interlocked one is.</summary>
    internal void Armed(long due)
    {
        if (due < Volatile.Read(ref _nextSweep))
        {
            Hasten(due);
        }
    }

    private void Hasten(long due)
    {
        lock (_gate)
        {
            if (_isSweeping)
            {
                _hastened = Math.Min(_hastened, due);
            }
            else if (due < _nextSweep)
            {
                SleepUntil(due);
            }
        }
    }

    private void Sweep()
    {
        lock (_gate)
        {
            if (_isSweeping)
            {
                return;
            }

            _isSweeping = true;
            _hastened = Never;
        }

        // From here on whoever sets a time either is seen below or sees this.
        Interlocked.Exchange(ref _nextSweep, Never);
        var now = Time.GetTimestamp();
        var earliest = Never;
        foreach (var block in Volatile.Read(ref _blocks))
        {
            earliest = Math.Min(earliest, Earliest(block.Due, now, out var anyDue));
            if (anyDue)
            {
                Collect(block, now);
            }
        }

        foreach (var deadline in _due)
        {
            deadline.Expire();
        }

        _due.Clear();
        lock (_gate)
        {
            _isSweeping = false;
            earliest = Math.Min(earliest, _hastened);
            if (earliest < Expired)
            {
                SleepUntil(Math.Max(earliest, After(now, Tick)));
            }
        }
    }

    /// <summary>Under the lock.</summary>
    private void SleepUntil(long due)
    {
        Volatile.Write(ref _nextSweep, due);
        var rest = Time.GetElapsedTime(Time.GetTimestamp(), due);
        _timer.Change(rest <= TimeSpan.Zero ? TimeSpan.Zero : rest > LongestRest ? LongestRest : RoundUp(rest), Timeout.InfiniteTimeSpan);
    }

    // Timers are as fine as a millisecond: too early would find nothing and look again.
    private static TimeSpan RoundUp(TimeSpan rest) => TimeSpan.FromMilliseconds(Math.Ceiling(rest.TotalMilliseconds));

    /// <summary>The earliest time that is to come, and whether one has.</summary>
    private static long Earliest(ReadOnlySpan<long> times, long now, out bool anyDue)
    {
        var limit = new Vector<long>(now);
        var earliest = new Vector<long>(Never);
        var isDue = Vector<long>.Zero;
        for (var i = 0; i < times.Length; i += Vector<long>.Count)
        {
            var here = new Vector<long>(times[i..]);
            var due = Vector.LessThanOrEqual(here, limit);
            isDue |= due;
            earliest = Vector.Min(earliest, Vector.ConditionalSelect(due, new Vector<long>(Never), here));
        }

        anyDue = isDue != Vector<long>.Zero;
        var result = Never;
        for (var i = 0; i < Vector<long>.Count; i++)
        {
            result = Math.Min(result, earliest[i]);
        }

        return result;
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
