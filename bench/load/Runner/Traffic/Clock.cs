using System.Diagnostics;

namespace Tidegate.Load.Traffic;

/// <summary>Nanoseconds of the machine's monotonic clock, the same in every process.</summary>
internal static class Clock
{
    public const long Second = 1_000_000_000;

    public static long Now => Stopwatch.GetTimestamp() * (Second / Stopwatch.Frequency);
}
