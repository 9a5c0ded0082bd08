namespace Tidegate.Recording;

/// <summary>
/// The time of day of timestamps: the clock is read now and then and counted on from, because a second clock for each exchange is one too many. One for all lanes, so that what ended later is later.
/// </summary>
internal sealed class WallClock
{
    // How far a count may be from what the system's clock says when that was set meanwhile.
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Usable = TimeSpan.FromSeconds(2);

    // A thread that was put aside between the two readings has read a pair that does not fit.
    private static readonly TimeSpan MaxApart = TimeSpan.FromMicroseconds(20);
    private const int MaxReadings = 5;

    private readonly TimeProvider _time;
    private readonly double _ticksPerTimestamp;
    private volatile Reading _last;

    public WallClock(TimeProvider time)
    {
        _time = time;
        _ticksPerTimestamp = TimeSpan.TicksPerSecond / (double)time.TimestampFrequency;
        _last = Read();
    }

    /// <summary>When a timestamp was.</summary>
    /// <param name="timestamp">Of now, or a little before.</param>
    public DateTimeOffset At(long timestamp)
    {
        var last = _last;
        var since = (timestamp - last.Timestamp) * _ticksPerTimestamp;

        // After a rest there is no count yet: whoever comes first reads the clock itself.
        return since <= Usable.Ticks ? last.Utc + TimeSpan.FromTicks((long)since) : _time.GetUtcNow() - _time.GetElapsedTime(timestamp);
    }

    /// <summary>Reads the clock when that was long ago. Not on the request path.</summary>
    public void Refresh()
    {
        // A machine that was put to sleep has counted nothing meanwhile, and its clock has gone on.
        if (_time.GetElapsedTime(_last.Timestamp) >= Fresh || (_time.GetUtcNow() - At(_time.GetTimestamp())).Duration() >= Fresh)
        {
            _last = Read();
        }
    }

    private Reading Read()
    {
        var (best, apart) = (new Reading(0, default), TimeSpan.MaxValue);
        for (var readings = 0; readings < MaxReadings && apart > MaxApart; readings++)
        {
            var before = _time.GetTimestamp();
            var utc = _time.GetUtcNow();
            if (_time.GetElapsedTime(before) is var took && took < apart)
            {
                (best, apart) = (new Reading(before, utc), took);
            }
        }

        return best;
    }

    private sealed record Reading(long Timestamp, DateTimeOffset Utc);
}
