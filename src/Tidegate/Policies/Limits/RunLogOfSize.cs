using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tidegate.Policies.Limits;

/// <summary>A <see cref="RunLog"/> with room for so many runs within itself: an array of its own would cost more than they do.</summary>
/// <typeparam name="TTimes">Places of 16-bit times.</typeparam>
/// <typeparam name="TCounts">As many places of counts.</typeparam>
/// <typeparam name="TCount">A count.</typeparam>
internal sealed class RunLog<TTimes, TCounts, TCount> : RunLog
    where TTimes : unmanaged
    where TCounts : unmanaged
    where TCount : unmanaged, IBinaryInteger<TCount>
{
    // Of the object without the runs, as the runtime lays it out.
    private const int BareBytes = 32;

    private TTimes _times;
    private TCounts _counts;

    public RunLog(int unit)
        : base(unit) => Bytes = BareBytes + Unsafe.SizeOf<TTimes>() + Unsafe.SizeOf<TCounts>();

    private static int Capacity => Unsafe.SizeOf<TTimes>() / sizeof(ushort);

    private static bool IsWide => Unsafe.SizeOf<TCount>() > sizeof(ushort);

    private Span<ushort> Times => MemoryMarshal.CreateSpan(ref Unsafe.As<TTimes, ushort>(ref _times), Capacity);

    private Span<TCount> Counts => MemoryMarshal.CreateSpan(ref Unsafe.As<TCounts, TCount>(ref _counts), Capacity);

    public override long TimeAt(int index) => Base + (Times[index] * UnitTicks);

    public override long CountAt(int index) => long.CreateTruncating(Counts[index]);

    public override RunLog Add(long time, long count, long sum)
    {
        if (!IsWide && sum > MaxNarrow)
        {
            return Other(isWide: true, isLarge: Capacity == MaxRuns).Add(time, count, sum);
        }

        if (Runs == 0)
        {
            Base = time;
            Put(0, 0, count);
            Runs = 1;
            return this;
        }

        if (TimeAt(Runs - 1) >= time)
        {
            Counts[Runs - 1] += TCount.CreateTruncating(count);
            return this;
        }

        if (Runs == Capacity && Capacity < MaxRuns)
        {
            return Other(IsWide, isLarge: true).Add(time, count, sum);
        }

        var offset = OffsetOf(time);
        if (Runs == MaxRuns && !MergeNearest(offset))
        {
            Times[MaxRuns - 1] = offset;
            Counts[MaxRuns - 1] += TCount.CreateTruncating(count);
            return this;
        }

        if (Runs < MaxRuns)
        {
            LeastDelay = 0;
        }

        Put(Runs, offset, count);
        Runs++;
        return this;
    }

    private protected override long ExpireRuns(long upTo)
    {
        var times = Times;
        var expired = 0;
        var sum = 0L;
        while (expired < Runs && Base + (times[expired] * UnitTicks) <= upTo)
        {
            sum += CountAt(expired++);
        }

        if (expired > 0)
        {
            Remove(0, expired);
        }

        return sum;
    }

    public override long TakeBack(long time, long count)
    {
        for (var i = 0; i < Runs; i++)
        {
            if (TimeAt(i) < time)
            {
                continue;
            }

            var part = Math.Min(count, CountAt(i));
            Counts[i] -= TCount.CreateTruncating(part);
            LeastDelay = 0;
            if (TCount.IsZero(Counts[i]))
            {
                Remove(i, 1);
            }

            return part;
        }

        return 0;
    }

    public override long TimeOf(long count)
    {
        var i = 0;
        for (var freed = CountAt(0); freed < count; freed += CountAt(i))
        {
            i++;
        }

        return TimeAt(i);
    }

    internal override void Append(long from, ushort offset, long count)
    {
        Base = from;
        Put(Runs, offset, count);
        Runs++;
    }

    private void Put(int index, ushort offset, long count)
    {
        Times[index] = offset;
        Counts[index] = TCount.CreateTruncating(count);
    }

    private RunLog Other(bool isWide, bool isLarge)
    {
        var other = Make(Unit, isWide, isLarge);
        for (var i = 0; i < Runs; i++)
        {
            other.Append(Base, Times[i], CountAt(i));
        }

        return other;
    }

    /// <summary>Up to the next unit.</summary>
    private ushort OffsetOf(long time)
    {
        var offset = (time - Base + UnitTicks - 1) / UnitTicks;
        if (offset > ushort.MaxValue)
        {
            // Those that are older than that are forgotten before anything is added; should one be left, it counts as younger.
            var by = offset - ushort.MaxValue;
            foreach (ref var past in Times[..Runs])
            {
                past = (ushort)Math.Max(0, past - by);
            }

            Base += by * UnitTicks;
            LeastDelay = 0;
            offset -= by;
        }

        return (ushort)offset;
    }

    /// <summary>
    /// Makes room for a run at a time. The two become one that delay the least: so many, by so much. By time alone an even flow would end up in one run that
    /// counts all of it from the latest time. The newest is judged by all of the time that it has come to stand for, because what it has delayed already by growing
    /// is not seen any more. False when it is the newest that delays the least by counting from that time.
    /// </summary>
    private bool MergeNearest(ushort next)
    {
        var times = Times;
        var counts = Counts;
        var ofNewest = float.CreateTruncating(counts[MaxRuns - 1]) * (next - times[MaxRuns - 2]);
        if (ofNewest < LeastDelay)
        {
            return false;
        }

        var nearest = 0;
        var least = float.MaxValue;
        for (var i = 0; i < MaxRuns - 1; i++)
        {
            var delay = float.CreateTruncating(counts[i]) * (times[i + 1] - times[i]);
            if (delay <= least)
            {
                least = delay;
                nearest = i;
            }
        }

        // Whatever becomes one now, the others delay no less afterwards than they do now.
        LeastDelay = least;
        if (ofNewest < least)
        {
            return false;
        }

        counts[nearest + 1] += counts[nearest];
        Remove(nearest, 1);
        return true;
    }

    private void Remove(int first, int count)
    {
        var rest = Runs - first - count;
        Times.Slice(first + count, rest).CopyTo(Times[first..]);
        Counts.Slice(first + count, rest).CopyTo(Counts[first..]);
        Runs -= (byte)count;
        if (first > 0 || Runs == 0)
        {
            return;
        }

        var by = Times[0];
        Base += by * UnitTicks;
        foreach (ref var time in Times[..Runs])
        {
            time -= by;
        }
    }
}
