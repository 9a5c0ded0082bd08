namespace Tidegate.Policies.CircuitBreaker;

/// <summary>
/// Counts how attempts end. Closed: everything passes. Open: nothing does, for a time. Half open: a few probes do, and their results decide. Times are timestamps
/// of the clock.
/// </summary>
internal sealed class Circuit(TimeProvider time)
{
    // The window moves on in tenths: what falls out of it at once is a tenth at most.
    private const int Slots = 10;

    private readonly Lock _gate = new();
    private readonly int[] _failures = new int[Slots];
    private readonly int[] _results = new int[Slots];
    private long _slot;
    private long _openUntil;
    private long _lastProbe;
    private int _probing;
    private int _probed;
    private long _opened;

    /// <summary>What it is now.</summary>
    public CircuitState State { get; private set; }

    /// <summary>How often it has opened.</summary>
    public long Opened => Interlocked.Read(ref _opened);

    /// <summary>Asks to make an attempt.</summary>
    /// <returns>Null when it may be made; else how long until a probe may.</returns>
    public TimeSpan? Enter(CircuitBreakerSettings settings, long now)
    {
        if (State == CircuitState.Closed)
        {
            return null;
        }

        lock (_gate)
        {
            if (State == CircuitState.Open)
            {
                if (now < _openUntil)
                {
                    return Span(_openUntil - now);
                }

                State = CircuitState.HalfOpen;
                _probing = _probed = 0;
            }

            if (State == CircuitState.Closed)
            {
                return null;
            }

            // A probe that never comes back, for whatever reason, must not keep the circuit half open for ever.
            if (_probing >= settings.Probes && now - _lastProbe < Ticks(settings.OpenFor))
            {
                return settings.OpenFor;
            }

            _probing = Math.Min(_probing, settings.Probes - 1) + 1;
            _lastProbe = now;
            return null;
        }
    }

    /// <summary>An attempt ended well: the upstream is there.</summary>
    public void Succeeded(CircuitBreakerSettings settings, long now) => Add(settings, now, failed: false);

    /// <summary>An attempt failed, or its answer did.</summary>
    public void Failed(CircuitBreakerSettings settings, long now) => Add(settings, now, failed: true);

    /// <summary>An attempt ended without saying anything about the upstream: its client left, or a limit refused it.</summary>
    public void Abandoned()
    {
        lock (_gate)
        {
            _probing = Math.Max(0, _probing - 1);
        }
    }

    private void Add(CircuitBreakerSettings settings, long now, bool failed)
    {
        lock (_gate)
        {
            switch (State)
            {
                case CircuitState.Open:
                    // Began before it opened: nothing new.
                    return;
                case CircuitState.HalfOpen when failed:
                    Open(settings, now);
                    return;
                case CircuitState.HalfOpen:
                    _probing = Math.Max(0, _probing - 1);
                    if (++_probed >= settings.Probes)
                    {
                        State = CircuitState.Closed;
                        Array.Clear(_results);
                        Array.Clear(_failures);
                    }

                    return;
            }

            Advance(settings, now);
            var slot = (int)(_slot % Slots);
            _results[slot]++;
            _failures[slot] += failed ? 1 : 0;
            if (failed && Sum(_results) is var results && results >= settings.Minimum && Sum(_failures) >= settings.FailureRatio * results)
            {
                Open(settings, now);
            }
        }
    }

    private void Open(CircuitBreakerSettings settings, long now)
    {
        State = CircuitState.Open;
        _openUntil = now + Ticks(settings.OpenFor);
        Interlocked.Increment(ref _opened);
    }

    private void Advance(CircuitBreakerSettings settings, long now)
    {
        var slot = now / Math.Max(1, Ticks(settings.Window) / Slots);
        for (var next = Math.Max(_slot + 1, slot - Slots + 1); next <= slot; next++)
        {
            _results[next % Slots] = _failures[next % Slots] = 0;
        }

        // Another window after a reload counts in other slots: what is there is forgotten then.
        _slot = slot;
    }

    private static int Sum(ReadOnlySpan<int> counts)
    {
        var sum = 0;
        foreach (var count in counts)
        {
            sum += count;
        }

        return sum;
    }

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * time.TimestampFrequency);

    private TimeSpan Span(long ticks) => TimeSpan.FromSeconds(ticks / (double)time.TimestampFrequency);
}

/// <summary>What a circuit lets pass.</summary>
internal enum CircuitState
{
    Closed,
    Open,
    HalfOpen,
}
