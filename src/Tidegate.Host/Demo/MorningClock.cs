namespace Tidegate.Host.Demo;

/// <summary>The time of day in the demo: a minute of a morning passes each second, from 07:00 to 12:00, then the next morning begins.</summary>
internal sealed class MorningClock(TimeProvider time, TimeOnly start)
{
    public static readonly TimeOnly Begin = new(7, 0);

    /// <summary>A minute of the morning each second.</summary>
    public const int SecondsPerMorning = 5 * 60;

    private readonly long _started = time.GetTimestamp();
    private readonly int _offset = (int)Math.Clamp((start - Begin).TotalMinutes, 0, SecondsPerMorning - 1);

    /// <summary>Real time since 07:00 of the first morning.</summary>
    public TimeSpan Elapsed => time.GetElapsedTime(_started) + TimeSpan.FromSeconds(_offset);

    /// <summary>From 1.</summary>
    public int Day => ((int)Elapsed.TotalSeconds / SecondsPerMorning) + 1;

    /// <summary>The time of day.</summary>
    public TimeOnly Now => At(Elapsed);

    public static TimeOnly At(TimeSpan elapsed) => Begin.AddMinutes(elapsed.TotalSeconds % SecondsPerMorning);
}
