namespace Tidegate.Control.Live;

/// <summary>The last minute in slices: the current one and the twelve before it, so that between 60 and 65 seconds are seen. Not thread-safe.</summary>
internal sealed class SlidingMinute
{
    private const int Slices = 13;
    private static readonly long SliceTicks = TimeSpan.FromSeconds(5).Ticks;

    private readonly TrafficCounts?[] _slices = new TrafficCounts?[Slices];
    private long _current;

    /// <summary>The slice that is being filled.</summary>
    public TrafficCounts At(DateTimeOffset now)
    {
        Advance(now);
        return _slices[_current % Slices] ??= new TrafficCounts();
    }

    /// <summary>All slices together.</summary>
    public TrafficCounts Sum(DateTimeOffset now)
    {
        Advance(now);
        var sum = new TrafficCounts();
        foreach (var slice in _slices)
        {
            if (slice is not null)
            {
                sum.Add(slice);
            }
        }

        return sum;
    }

    /// <summary>How much time the sum covers.</summary>
    public static TimeSpan Covered(DateTimeOffset now, DateTimeOffset started)
    {
        var covered = TimeSpan.FromTicks(((Slices - 1) * SliceTicks) + (now.Ticks % SliceTicks));
        var life = now - started;
        return life < covered ? life : covered;
    }

    private void Advance(DateTimeOffset now)
    {
        var slice = now.Ticks / SliceTicks;
        for (var next = Math.Max(_current + 1, slice - Slices + 1); next <= slice; next++)
        {
            _slices[next % Slices]?.Clear();
        }

        // A clock that was set back must not bring old slices back to life.
        _current = Math.Max(_current, slice);
    }
}
