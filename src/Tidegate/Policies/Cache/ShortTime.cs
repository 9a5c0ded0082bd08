namespace Tidegate.Policies.Cache;

/// <summary>A length of time in four bytes: milliseconds up to 24 days, seconds beyond.</summary>
internal static class ShortTime
{
    private const uint InSeconds = 1U << 31;

    /// <summary>At most as long.</summary>
    public static uint Floor(TimeSpan time) => time.Ticks <= 0 ? 0 : Write(time.Ticks, roundUp: 0);

    /// <summary>At least as long.</summary>
    public static uint Ceiling(TimeSpan time) => time.Ticks <= 0 ? 0 : Write(time.Ticks, roundUp: 1);

    public static TimeSpan Read(uint written) => (written & InSeconds) == 0 ? new TimeSpan(written * TimeSpan.TicksPerMillisecond) : new TimeSpan((written & ~InSeconds) * TimeSpan.TicksPerSecond);

    private static uint Write(long ticks, int roundUp)
    {
        var milliseconds = (ticks + (roundUp * (TimeSpan.TicksPerMillisecond - 1))) / TimeSpan.TicksPerMillisecond;
        return milliseconds < InSeconds
            ? (uint)milliseconds
            : InSeconds | (uint)Math.Min(InSeconds - 1, (ticks + (roundUp * (TimeSpan.TicksPerSecond - 1))) / TimeSpan.TicksPerSecond);
    }
}
