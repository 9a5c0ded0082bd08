using System.Runtime.CompilerServices;

namespace Tidegate.Policies.Limits.Signals;

/// <summary>One of a provider's windows as an answer tells of it.</summary>
internal struct SignalWindow
{
    /// <summary>Something was not said.</summary>
    public const long Unknown = -1;

    /// <summary>Which window: the same number for the same name, see <see cref="SignalName"/>.</summary>
    public ulong Name;

    /// <summary>How much passes in a whole window.</summary>
    public long Limit;

    /// <summary>How much of it is left.</summary>
    public long Remaining;

    /// <summary>Ticks of <see cref="TimeSpan"/> until the window begins anew, or is full again when it refills.</summary>
    public long ResetTicks;

    /// <summary>Ticks of <see cref="TimeSpan"/> that a whole window lasts, or takes to refill.</summary>
    public long PeriodTicks;

    /// <summary>What this call was charged before it was done; 0 where that was not said.</summary>
    public long Charged;

    public SignalUnit Unit;

    /// <summary>It refills evenly, as a bucket does, and does not wait for an end.</summary>
    public bool Refills;

    public static SignalWindow Of(ulong name) => new() { Name = name, Limit = Unknown, Remaining = Unknown, ResetTicks = Unknown, PeriodTicks = Unknown };

    /// <summary>Whether there is enough to hold to: what is left, and when that changes. A limit of zero is how some say that there is none.</summary>
    public readonly bool IsUsable => Remaining >= 0 && Limit != 0 && (Refills ? Limit > 0 && (PeriodTicks > 0 || ResetTicks >= 0) : ResetTicks >= 0 || PeriodTicks > 0);
}

/// <summary>What a window counts.</summary>
internal enum SignalUnit : byte
{
    Requests,

    /// <summary>Of a language model: nobody knows before the answer how many a request takes.</summary>
    Tokens,

    /// <summary>Bytes, points: not one for each request either.</summary>
    Other,
}

/// <summary>At most eight windows: more than any provider known tells of.</summary>
[InlineArray(MaxCount)]
internal struct SignalWindows
{
    public const int MaxCount = 8;

    private SignalWindow _first;
}

/// <summary>Names of windows as numbers, so that reading one allocates nothing.</summary>
internal static class SignalName
{
    /// <summary>The number of a name. Names that meet by accident share a window, which is then the stricter of both.</summary>
    public static ulong Of(ReadOnlySpan<byte> name) => (ulong)SipHash.Compute(default, name);

    /// <summary>The number of a name within something else that has one.</summary>
    public static ulong Of(ulong outer, ReadOnlySpan<byte> name) => (ulong)SipHash.Compute(outer, name);
}
