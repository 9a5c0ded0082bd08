namespace Tidegate.Forwarding;

/// <summary>
/// Whether one destination of several answers. After so many failures in a row, or so large a share of them, it is left out for a while, longer each time; then one
/// attempt at a time finds out whether it is back, and the others pass it over until one has succeeded. One that asks for a pause itself is left out just as long.
/// Times are timestamps of the clock.
/// </summary>
internal sealed class DestinationHealth(TimeProvider time)
{
    // Five times as long at most: what stays down is asked now and then, what comes back is found soon.
    private const int MaxTimes = 5;

    private readonly Lock _gate = new();
    private readonly ResultWindow _window = new();
    private int _failures;
    private int _ejections;
    private bool _isProbed;
    private long _generation;
    private int _failuresInRow;
    private long _ejectedSince;
    private long _ejectedUntil;
    private long _askedUntil;
    private long _ejected;
    private long _setAside;

    /// <summary>Where it is; empty when nobody said so.</summary>
    public string Region { get; set; } = "";

    /// <summary>Attempts that it answered.</summary>
    public long Good => _window.AllGood;

    /// <summary>Attempts that failed there.</summary>
    public long Bad => _window.AllBad;

    /// <summary>How often it was left out because it failed, or would have been.</summary>
    public long Ejected => Interlocked.Read(ref _ejected);

    /// <summary>How often it was left out because it asked for a pause, or would have been.</summary>
    public long SetAside => Interlocked.Read(ref _setAside);

    /// <summary>Attempts that failed there since one was answered.</summary>
    public int FailuresInRow => Volatile.Read(ref _failuresInRow);

    /// <summary>Whether it is left out now, or would be.</summary>
    public bool IsLeftOut(long now) => IsEjected(now) || now < AskedUntil;

    /// <summary>Until when it has asked not to be called; in the past when it has not.</summary>
    public long AskedUntil => Interlocked.Read(ref _askedUntil);

    /// <summary>Seconds until the pause that it asked for is over; 0 when there is none.</summary>
    public double AskedSeconds(long now) => Math.Max(0, (AskedUntil - now) / (double)time.TimestampFrequency);

    /// <summary>Its time is over, and no attempt has succeeded since.</summary>
    public bool IsOnTrial(long now) => Volatile.Read(ref _ejections) > 0 && !IsEjected(now);

    /// <summary>Whether an attempt could be made now.</summary>
    public bool HasRoom(long now) => !IsLeftOut(now) && (Volatile.Read(ref _ejections) == 0 || !Volatile.Read(ref _isProbed));

    /// <summary>Asks to make an attempt.</summary>
    public bool TryEnter(int index, long now, out DestinationPass pass)
    {
        pass = Enter(index);
        if (IsLeftOut(now))
        {
            return false;
        }

        if (Volatile.Read(ref _ejections) == 0)
        {
            return true;
        }

        lock (_gate)
        {
            if (_isProbed || IsEjected(now))
            {
                return false;
            }

            _isProbed = _ejections > 0;
            pass = new DestinationPass(index, _generation, _isProbed);
            return true;
        }
    }

    /// <summary>An attempt is made, whatever is known.</summary>
    public DestinationPass Enter(int index) => new(index, Volatile.Read(ref _generation));

    /// <summary>An attempt ended without saying anything about the destination.</summary>
    public void Abandoned(DestinationPass pass)
    {
        if (!pass.IsProbe)
        {
            return;
        }

        lock (_gate)
        {
            _isProbed &= pass.Generation != _generation;
        }
    }

    /// <summary>How long it has been left out, or would have been, and for how much longer; null when it is not.</summary>
    public (TimeSpan Past, TimeSpan Left)? EjectedFor(long now)
    {
        lock (_gate)
        {
            return IsEjected(now) ? (time.GetElapsedTime(_ejectedSince, now), time.GetElapsedTime(now, _ejectedUntil)) : null;
        }
    }

    /// <summary>It answered.</summary>
    public void Succeeded(Ejection ejection, DestinationPass pass, long now)
    {
        _window.Good(now, Ticks(ejection.Window));

        // Nearly always nothing more to do, and then no lock.
        if (Volatile.Read(ref _failures) == 0 && Volatile.Read(ref _ejections) == 0 && Volatile.Read(ref _failuresInRow) == 0)
        {
            return;
        }

        lock (_gate)
        {
            _failuresInRow = 0;

            // Were it left out, nobody would have asked it: its time goes on.
            if (pass.Generation != _generation || (ejection.IsObserved && IsEjected(now)))
            {
                return;
            }

            _failures = 0;
            if (_ejections > 0)
            {
                _ejections = 0;
                Change(0);
                _window.Forget();
            }
        }
    }

    /// <summary>It could not be reached, broke, or said that it cannot serve.</summary>
    /// <returns>Whether it is left out from now on, or would be.</returns>
    public bool Failed(Ejection ejection, DestinationPass pass, long now)
    {
        _window.Bad(now, Ticks(ejection.Window));
        lock (_gate)
        {
            _failuresInRow++;

            // What began before it was left out, or while it is because there was nobody else, says nothing new; and while one finds out, its word counts.
            if (pass.Generation != _generation || IsEjected(now) || (_isProbed && !pass.IsProbe))
            {
                return false;
            }

            // The next failure after its time leaves it out again at once: it has not answered in between.
            if (_ejections == 0 && ++_failures < ejection.Failures && !_window.IsBad(ejection.Minimum, ejection.FailureRatio))
            {
                return false;
            }

            _failures = 0;
            _ejections = Math.Min(MaxTimes, _ejections + 1);
            _ejectedSince = now;
            Change(now + (Ticks(ejection.For) * _ejections));
            Interlocked.Increment(ref _ejected);
            return true;
        }
    }

    /// <summary>It asks not to be called for a while.</summary>
    /// <returns>Whether that is new.</returns>
    public bool Ask(TimeSpan pause, long now)
    {
        lock (_gate)
        {
            // The later of two wins, as with every "not before".
            var isNew = now >= _askedUntil && pause > TimeSpan.Zero;
            Interlocked.Exchange(ref _askedUntil, Math.Max(_askedUntil, now + (long)Math.Ceiling(pause.TotalSeconds * time.TimestampFrequency)));
            _setAside += isNew ? 1 : 0;
            return isNew;
        }
    }

    private void Change(long ejectedUntil)
    {
        Interlocked.Exchange(ref _ejectedUntil, ejectedUntil);
        Volatile.Write(ref _generation, _generation + 1);
        _isProbed = false;
    }

    private bool IsEjected(long now) => now < Interlocked.Read(ref _ejectedUntil);

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * time.TimestampFrequency);
}
