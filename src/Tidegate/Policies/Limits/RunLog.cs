using System.Runtime.CompilerServices;

namespace Tidegate.Policies.Limits;

/// <summary>
/// When what was taken, oldest first, in at most <see cref="MaxRuns"/> runs. When there are more, two become one that counts from the later time: memory is bounded,
/// and what is remembered inexactly is remembered too strictly. Keys that are busy have one each, by the million, so it is small: times are kept in units of a
/// 65,000th of the period or a little more, from the oldest on, and never earlier than they were; it takes more room when what it holds needs it.
/// </summary>
internal abstract class RunLog(int unit) : CellMemory
{
    /// <summary>16: takers that wait for room all take at the moment that it comes, and such a moment is one run however many take.</summary>
    public const int MaxRuns = 16;

    /// <summary>What all runs may count together where each has 16 bits for it.</summary>
    private protected const long MaxNarrow = ushort.MaxValue;

    // Round in the decimal system, as periods and what people wait for are: 1, 2, 5, 10 and so on, up to some 290 years of nanoseconds.
    private static readonly long[] Units = [.. Enumerable.Range(0, 15).SelectMany(exponent => (long[])[1, 2, 5], (exponent, digit) => digit * (long)Math.Pow(10, exponent))];

    // No two of the runs would delay less than this if they became one, in units; 0 when that is not known.
    private protected float LeastDelay;
    private protected byte Runs;
    private readonly byte _unit = (byte)unit;

    /// <summary>The time of the oldest run, from which those of the others are counted.</summary>
    private protected long Base { get; set; }

    public int Count => Runs;

    public override RunLog Log => this;

    /// <summary>In what times are kept, as an index.</summary>
    public int Unit => _unit;

    private protected long UnitTicks => Units[_unit];

    /// <summary>In what times are kept for a period: what <see cref="Start"/> wants.</summary>
    public static int UnitFor(long periodTicks) => Math.Max(0, Array.FindIndex(Units, unit => (UInt128)(ulong)unit * ushort.MaxValue >= (UInt128)(ulong)periodTicks));

    public static RunLog Start(int unit) => new RunLog<Few<ushort>, Few<ushort>, ushort>(unit);

    public abstract long TimeAt(int index);

    public abstract long CountAt(int index);

    /// <summary>Remembers what was taken, after <see cref="Expire"/> for that time.</summary>
    /// <param name="time">When; what is older than the newest counts as that.</param>
    /// <param name="count">How much.</param>
    /// <param name="sum">What all runs count together with it.</param>
    /// <returns>The log that has it: another one when there was no room in this.</returns>
    public abstract RunLog Add(long time, long count, long sum);

    /// <summary>Forgets runs up to a time.</summary>
    /// <returns>How much they had counted.</returns>
    public long Expire(long upTo) => Runs == 0 || Base > upTo ? 0 : ExpireRuns(upTo);

    /// <summary>Takes off the run in which something of that time is counted.</summary>
    /// <returns>How much could be taken off.</returns>
    public abstract long TakeBack(long time, long count);

    /// <summary>When so much will have been counted off, oldest first.</summary>
    public abstract long TimeOf(long count);

    /// <summary>The same runs in another unit: the limit has got another period.</summary>
    public RunLog In(int unit)
    {
        var log = Start(unit);
        var sum = 0L;
        for (var i = 0; i < Count; i++)
        {
            sum += CountAt(i);
            log = log.Add(TimeAt(i), CountAt(i), sum);
        }

        return log;
    }

    /// <summary>As <see cref="Expire"/>, when at least one run is that old.</summary>
    private protected abstract long ExpireRuns(long upTo);

    private protected static RunLog Make(int unit, bool isWide, bool isLarge) => (isWide, isLarge) switch
    {
        (false, false) => Start(unit),
        (false, true) => new RunLog<Many<ushort>, Many<ushort>, ushort>(unit),
        (true, false) => new RunLog<Few<ushort>, Few<long>, long>(unit),
        (true, true) => new RunLog<Many<ushort>, Many<long>, long>(unit),
    };

    /// <summary>A run as another log has it, in the same unit.</summary>
    internal abstract void Append(long from, ushort offset, long count);

    [InlineArray(FewRuns)]
    private protected struct Few<T>
        where T : unmanaged
    {
        private T _first;
    }

    [InlineArray(MaxRuns)]
    private protected struct Many<T>
        where T : unmanaged
    {
        private T _first;
    }

    // Most keys are taken from a few times in a period.
    private const int FewRuns = 4;
}
