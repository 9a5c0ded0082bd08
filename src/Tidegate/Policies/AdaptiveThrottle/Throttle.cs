namespace Tidegate.Policies.AdaptiveThrottle;

/// <summary>
/// What was asked of an upstream within a window and what it refused, and from that how likely the next attempt is refused here (Google's SRE book, chapter 21). An
/// attempt counts where it began, and as accepted until its end says otherwise: what takes long is not taken for refused. Times are timestamps of the clock.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="random">Gives 0 to below 1.</param>
internal sealed class Throttle(TimeProvider time, Func<double> random)
{
    // The window moves on in twentieths: 6 s of two minutes.
    private const int Slots = 20;

    // One attempt a second passes whatever was refused: by the formula alone an upstream that was down for long would hardly be asked whether it is back.
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly long[] _requests = new long[Slots];
    private readonly long[] _refused = new long[Slots];
    private readonly long _probeTicks = (long)(ProbeInterval.TotalSeconds * time.TimestampFrequency);
    private long _slot;
    private long _slotTicks;
    private long _requested;
    private long _accepted;
    private long _lastSent = long.MinValue / 2;
    private long _throttled;

    /// <summary>Attempts that were refused here.</summary>
    public long Throttled => Interlocked.Read(ref _throttled);

    /// <summary>How likely an attempt would be refused now, 0 to below 1.</summary>
    public double Probability(AdaptiveThrottleSettings settings, long now)
    {
        lock (_gate)
        {
            Advance(settings, now);
            return Probability(settings);
        }
    }

    /// <summary>Asks to make an attempt.</summary>
    /// <returns>To be given with its result; null when it is refused.</returns>
    public ThrottlePass? Enter(AdaptiveThrottleSettings settings, long now)
    {
        lock (_gate)
        {
            Advance(settings, now);
            var slot = _slot % Slots;
            var probability = Probability(settings);
            _requests[slot]++;
            _requested++;
            if (probability > 0 && now - _lastSent < _probeTicks && random() < probability)
            {
                _refused[slot]++;
                _throttled++;
                return null;
            }

            _accepted++;
            _lastSent = now;
            return new ThrottlePass(_slot, _slotTicks);
        }
    }

    /// <summary>The upstream refused the attempt, or was not there.</summary>
    public void Refused(ThrottlePass pass)
    {
        lock (_gate)
        {
            if (IsCounted(pass))
            {
                _refused[pass.Slot % Slots]++;
                _accepted--;
            }
        }
    }

    /// <summary>The attempt ended without saying anything about the upstream: its client left, or a limit refused it.</summary>
    public void Abandoned(ThrottlePass pass)
    {
        lock (_gate)
        {
            if (IsCounted(pass))
            {
                _requests[pass.Slot % Slots]--;
                _requested--;
                _accepted--;
            }
        }
    }

    private bool IsCounted(ThrottlePass pass) => pass.SlotTicks == _slotTicks && pass.Slot > _slot - Slots;

    private double Probability(AdaptiveThrottleSettings settings) =>
        Math.Max(0, (_requested - ((1 + settings.Headroom) * _accepted)) / (_requested + 1));

    private void Advance(AdaptiveThrottleSettings settings, long now)
    {
        var slotTicks = Math.Max(1, (long)(settings.Window.TotalSeconds / Slots * time.TimestampFrequency));
        var slot = now / slotTicks;
        if (slotTicks != _slotTicks)
        {
            // Another window after a reload counts anew.
            (_slotTicks, _slot, _requested, _accepted) = (slotTicks, slot, 0, 0);
            Array.Clear(_requests);
            Array.Clear(_refused);
        }

        for (var next = Math.Max(_slot + 1, slot - Slots + 1); next <= slot; next++)
        {
            var i = next % Slots;
            _requested -= _requests[i];
            _accepted -= _requests[i] - _refused[i];
            _requests[i] = _refused[i] = 0;
        }

        _slot = Math.Max(_slot, slot);
    }
}

/// <summary>An attempt that may be made.</summary>
/// <param name="Slot">When it began.</param>
/// <param name="SlotTicks">Of the window that counts it.</param>
internal readonly record struct ThrottlePass(long Slot, long SlotTicks);
