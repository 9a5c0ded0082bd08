namespace Tidegate.Policies.CircuitBreaker;

/// <summary>
/// Counts how attempts end. Closed: everything passes. Open: nothing does, for a time. Half open: a few probes do, and their results decide. An attempt that began
/// before the last change says nothing about what is now. Times are timestamps of the clock.
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
    private long _generation;
    private volatile CircuitState _state;

    /// <summary>What it is now. When its time is over it stands half open: the next attempt may pass, whether or not somebody makes one.</summary>
    public CircuitState State => _state is CircuitState.Open && time.GetTimestamp() >= Volatile.Read(ref _openUntil) ? CircuitState.HalfOpen : _state;

    /// <summary>How often it has opened.</summary>
    public long Opened => Interlocked.Read(ref _opened);

    /// <summary>Asks to make an attempt.</summary>
    /// <param name="settings">When it opens, and for how long.</param>
    /// <param name="now">A timestamp.</param>
    /// <param name="wait">How long until a probe may be made, when this attempt may not.</param>
    /// <returns>To be given with the attempt's result; null when it may not be made.</returns>
    public CircuitPass? Enter(CircuitBreakerSettings settings, long now, out TimeSpan wait)
    {
        wait = default;
        var generation = Volatile.Read(ref _generation);
        if (_state == CircuitState.Closed)
        {
            return new CircuitPass(generation);
        }

        lock (_gate)
        {
            if (_state == CircuitState.Open)
            {
                if (now < _openUntil)
                {
                    wait = Span(_openUntil - now);
                    return null;
                }

                Change(CircuitState.HalfOpen);
                _probing = _probed = 0;
            }

            // A probe that never comes back, for whatever reason, must not keep the circuit half open for ever.
            if (_state == CircuitState.HalfOpen)
            {
                var left = _lastProbe + Ticks(settings.OpenFor) - now;
                if (_probing >= settings.Probes && left > 0)
                {
                    wait = Span(left);
                    return null;
                }

                _probing = Math.Min(_probing, settings.Probes - 1) + 1;
                _lastProbe = now;
            }

            return new CircuitPass(_generation);
        }
    }

    /// <summary>An attempt ended well: the upstream is there.</summary>
    public void Succeeded(CircuitPass pass, CircuitBreakerSettings settings, long now) => Add(pass, settings, now, failed: false);

    /// <summary>An attempt failed.</summary>
    public void Failed(CircuitPass pass, CircuitBreakerSettings settings, long now) => Add(pass, settings, now, failed: true);

    /// <summary>An attempt ended without saying anything about the upstream: its client left, or a limit refused it.</summary>
    public void Abandoned(CircuitPass pass)
    {
        lock (_gate)
        {
            if (pass.Generation == _generation && _state == CircuitState.HalfOpen)
            {
                _probing = Math.Max(0, _probing - 1);
            }
        }
    }

    /// <summary>The answer of an attempt that had ended well broke after all: it was a failure.</summary>
    public void Broke(CircuitPass pass, CircuitBreakerSettings settings, long now)
    {
        lock (_gate)
        {
            if (pass.Generation != _generation || _state != CircuitState.Closed)
            {
                return;
            }

            // The result is counted, perhaps in a slot that has passed; one more failure among it and its like must not make a share above one.
            Advance(settings, now);
            var slot = (int)(_slot % Slots);
            _failures[slot]++;
            _results[slot] += Sum(_failures) > Sum(_results) ? 1 : 0;
            OpenIfDown(settings, now);
        }
    }

    private void Add(CircuitPass pass, CircuitBreakerSettings settings, long now, bool failed)
    {
        lock (_gate)
        {
            if (pass.Generation != _generation)
            {
                return;
            }

            if (_state == CircuitState.HalfOpen)
            {
                if (failed)
                {
                    Open(settings, now);
                }
                else if (++_probed >= settings.Probes)
                {
                    Change(CircuitState.Closed);
                    Array.Clear(_results);
                    Array.Clear(_failures);
                }
                else
                {
                    _probing = Math.Max(0, _probing - 1);
                }

                return;
            }

            Advance(settings, now);
            var slot = (int)(_slot % Slots);
            _results[slot]++;
            _failures[slot] += failed ? 1 : 0;
            if (failed)
            {
                OpenIfDown(settings, now);
            }
        }
    }

    private void OpenIfDown(CircuitBreakerSettings settings, long now)
    {
        if (Sum(_results) is var results && results >= settings.Minimum && Sum(_failures) >= settings.FailureRatio * results)
        {
            Open(settings, now);
        }
    }

    private void Open(CircuitBreakerSettings settings, long now)
    {
        // Before the state: who sees it open must not see the time before.
        Volatile.Write(ref _openUntil, now + Ticks(settings.OpenFor));
        Change(CircuitState.Open);
        Interlocked.Increment(ref _opened);
    }

    private void Change(CircuitState state)
    {
        Volatile.Write(ref _generation, _generation + 1);
        _state = state;
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

/// <summary>An attempt that may be made.</summary>
/// <param name="Generation">Which state of the circuit let it.</param>
internal readonly record struct CircuitPass(long Generation);

/// <summary>What a circuit lets pass.</summary>
internal enum CircuitState
{
    Closed,
    Open,
    HalfOpen,
}
