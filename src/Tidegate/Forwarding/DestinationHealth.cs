namespace Tidegate.Forwarding;

/// <summary>
/// Whether one destination of several answers. After so many failures in a row it is left out for a while, longer each time; then it gets its turn again, and the next
/// result decides. Times are timestamps of the clock.
/// </summary>
internal sealed class DestinationHealth(TimeProvider time)
{
    // Five times as long at most: what stays down is asked now and then, what comes back is found soon.
    private const int MaxTimes = 5;

    private readonly Lock _gate = new();
    private int _failures;
    private int _ejections;
    private int _failuresInRow;
    private long _ejectedSince;
    private long _ejectedUntil;
    private long _ejected;
    private long _good;
    private long _bad;

    /// <summary>Where it is; empty when nobody said so.</summary>
    public string Region { get; set; } = "";

    /// <summary>Attempts that it answered.</summary>
    public long Good => Interlocked.Read(ref _good);

    /// <summary>Attempts that failed there.</summary>
    public long Bad => Interlocked.Read(ref _bad);

    /// <summary>How often it was left out, or would have been.</summary>
    public long Ejected => Interlocked.Read(ref _ejected);

    /// <summary>Attempts that failed there since one was answered.</summary>
    public int FailuresInRow => Volatile.Read(ref _failuresInRow);

    /// <summary>Whether it is left out now, or would be.</summary>
    public bool IsEjected(long now) => now < Interlocked.Read(ref _ejectedUntil);

    /// <summary>How long it has been left out, or would have been, and for how much longer; null when it is not.</summary>
    public (TimeSpan Past, TimeSpan Left)? EjectedFor(long now)
    {
        lock (_gate)
        {
            return IsEjected(now) ? (time.GetElapsedTime(_ejectedSince, now), time.GetElapsedTime(now, _ejectedUntil)) : null;
        }
    }

    /// <summary>It answered.</summary>
    public void Succeeded(Ejection ejection)
    {
        Interlocked.Increment(ref _good);

        // Nearly always nothing more to do, and then no lock.
        if (Volatile.Read(ref _failures) == 0 && Volatile.Read(ref _ejections) == 0 && Volatile.Read(ref _failuresInRow) == 0)
        {
            return;
        }

        lock (_gate)
        {
            _failuresInRow = 0;

            // Were it left out, nobody would have asked it: its time goes on.
            if (ejection.IsObserved && IsEjected(time.GetTimestamp()))
            {
                return;
            }

            _failures = 0;
            _ejections = 0;
        }
    }

    /// <summary>It could not be reached, broke, or said that it cannot serve.</summary>
    /// <returns>Whether it is left out from now on, or would be.</returns>
    public bool Failed(Ejection ejection, long now)
    {
        Interlocked.Increment(ref _bad);
        lock (_gate)
        {
            _failuresInRow++;

            // What began before it was left out says nothing new.
            if (IsEjected(now) || ++_failures < ejection.Failures)
            {
                return false;
            }

            // The next failure after its time leaves it out again at once: it has not answered in between.
            _failures = ejection.Failures - 1;
            _ejections = Math.Min(MaxTimes, _ejections + 1);
            _ejectedSince = now;
            Interlocked.Exchange(ref _ejectedUntil, now + (long)(ejection.For.TotalSeconds * _ejections * time.TimestampFrequency));
            Interlocked.Increment(ref _ejected);
            return true;
        }
    }
}

/// <summary>When a destination is left out.</summary>
/// <param name="Failures">In a row.</param>
/// <param name="For">How long the first time; twice that the second, up to five times.</param>
/// <param name="IsObserved">It keeps its turns, and records say when it would not have.</param>
public sealed record Ejection(int Failures, TimeSpan For, bool IsObserved = false)
{
    /// <summary>5 in a row are no accident; 10 s is what a process takes to start.</summary>
    public static readonly Ejection Default = new(5, TimeSpan.FromSeconds(10));
}
