using Tidegate.Policies.Limits.Signals;

namespace Tidegate.Policies.Limits.Learning;

/// <summary>
/// What a provider said is left of one of its windows, held to until it begins anew. Unlike other ways to count it has state of its own: it belongs to one window
/// of one provider, and outlives its cell.
/// <para>
/// The rule: never more in flight than is left. What was answered is in what the provider said, what is in flight may not be; so after "r left" at most r more
/// are counted there, whatever order answers come back in. Within a window what is left only falls: a late answer, which knows less, raises nothing.
/// </para>
/// <para>
/// Of tokens and points nobody knows before what a request takes, and providers give back what it did not: each is taken to need as much as the largest of late, and a bucket is raised again
/// to what an answer says, less what those may have taken that were answered since it was sent.
/// </para>
/// </summary>
/// <param name="ticksPerSecond">Of the clock that timestamps are from.</param>
/// <param name="content">Where content tells of it, and of which calls; null where fields do, of all others.</param>
internal sealed class LearnedWindow(long ticksPerSecond, WindowContent? content = null) : LimitAlgorithm
{
    // Long enough that what is called once in a while is not forgotten in between.
    private const int MinutesOfCharges = 10;

    // Where no answer says what it was charged, it is reckoned from what is left, and others may have taken of that: a maximum holds for so many answers at least, and less than twice as many.
    private const int AnswersOfCharges = 32;

    // And one answer raises what a request is taken to need to so many times as much at most: calls that grow are followed within a few answers.
    private const int MaxRaise = 4;

    // How many takes are remembered to know what was taken before a call was sent. Of more that are under way it is what was taken by the oldest of these.
    private const int RememberedTakes = 128;

    // The largest of some is seldom the largest of all: without room for more the next that is larger would be refused.
    private const int RoomDivisor = 2;

    // Whoever has more than so many answered while one is under way is not raised by what that one says, until fewer are in flight.
    private const int RememberedAnswers = 64;

    // Providers write resets in whole seconds, by clocks that are seconds apart: two that are nearer than this are the same one.
    private const int SameResetSeconds = 2;

    // Buckets are sold by the second, minute, hour and day: a reset that is reckoned back to nearly one of them is that one, but for rounding.
    private const double PeriodTolerance = 0.1;
    private static readonly TimeSpan[] UsualPeriods = [TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1), TimeSpan.FromHours(1), TimeSpan.FromDays(1)];

    private readonly Lock _gate = new();
    private bool _isKnown;
    private bool _refills;
    private long _remaining;
    private long _limit;
    private long _inFlight;
    private long _until;
    private long _asOf;
    private long _ticksPerUnit;
    private long _unitsPerRequest = 1;
    private bool _countsRequests = true;
    private long _largest;
    private long _largestBefore;
    private long _largestSince;
    private int _charges;
    private bool _isEstimated;
    private long _told;
    private long _toldSent;
    private long _takenByTold;
    private long _taken;
    private (long At, long Taken)[]? _takes;
    private long _takeCount;
    private long _takesFrom;
    private long[]? _answeredAt;
    private int _answers;

    /// <summary>Where content tells of it, and of which calls; null where fields do, of all others.</summary>
    public WindowContent? Content => content;

    /// <summary>Requests that passed before the window was known, and that the provider may not have counted in what it said.</summary>
    public LearnedWindow Following(long inFlight)
    {
        _inFlight = inFlight;
        return this;
    }

    public override long Take(ref LimitCell cell, long cost, long now)
    {
        lock (_gate)
        {
            cell.IdleAt = now;
            var wait = WaitFor(cost, now);
            if (wait == 0)
            {
                _inFlight += cost;
                NoteTaken(cost, now);
            }

            return wait;
        }
    }

    public override void Charge(ref LimitCell cell, long cost, long now)
    {
        lock (_gate)
        {
            _inFlight += cost;
            NoteTaken(cost, now);
        }
    }

    public override void Give(ref LimitCell cell, long cost, long takenAt, long now) => NotSent(cost, takenAt);

    /// <summary>An exchange that had taken was not sent: the provider knows nothing of it.</summary>
    public void NotSent(long cost, long takenAt = long.MaxValue)
    {
        lock (_gate)
        {
            _inFlight = Math.Max(0, _inFlight - cost);
            ForgetTaken(cost, takenAt);
        }
    }

    public override long Used(ref LimitCell cell, long now)
    {
        lock (_gate)
        {
            Pass(now);
            return _limit > 0 && _isKnown ? Math.Max(0, _limit - _remaining) : _inFlight;
        }
    }

    public override long WaitBehind(ref LimitCell cell, long ahead, long cost, long now)
    {
        lock (_gate)
        {
            return WaitFor(ahead + cost, now);
        }
    }

    /// <summary>What is left as far as is known; <see cref="SignalWindow.Unknown"/> when nothing is.</summary>
    public long Remaining(long now)
    {
        lock (_gate)
        {
            Pass(now);
            return _isKnown ? _remaining : SignalWindow.Unknown;
        }
    }

    /// <summary>What is known; null when nothing is.</summary>
    public WindowState? StateAt(long now)
    {
        lock (_gate)
        {
            Pass(now);
            if (!_isKnown)
            {
                return null;
            }

            var ticks = _refills ? ((double)Math.Max(0, _limit - _remaining) * _ticksPerUnit) - (_limit > _remaining ? now - _asOf : 0) : _until - now;
            return new WindowState(_limit, _remaining, TimeSpan.FromSeconds(Math.Clamp(ticks / ticksPerSecond, 0, RetryAfter.MaxWait.TotalSeconds)), _refills);
        }
    }

    /// <summary>An exchange that had taken was answered without a word about this window, or not at all.</summary>
    public void Answered(long cost, long now)
    {
        lock (_gate)
        {
            _inFlight = Math.Max(0, _inFlight - cost);
            Pass(now);
            Note(now);
            if (_isKnown)
            {
                // The provider may have counted it.
                _remaining = Math.Max(0, _remaining - (cost * _unitsPerRequest));
            }
        }
    }

    /// <summary>An answer tells of this window.</summary>
    /// <param name="window">Usable.</param>
    /// <param name="cost">What its exchange had taken here; 0 when it began before the window was known.</param>
    /// <param name="sent">When the exchange was sent: the provider spoke between then and now.</param>
    /// <param name="now">A timestamp.</param>
    public void Learn(in SignalWindow window, long cost, long sent, long now)
    {
        lock (_gate)
        {
            _inFlight = Math.Max(0, _inFlight - cost);
            Pass(now);
            Estimate(in window, sent, now);
            _limit = window.Limit;
            if (window.Refills)
            {
                LearnBucket(in window, cost, sent, now);
            }
            else
            {
                LearnWindow(in window, now);
            }

            Tell(window.Remaining, sent);
            Note(now);
        }
    }

    private void LearnWindow(in SignalWindow window, long now)
    {
        // A provider that says how long a window is and not when it ends may have begun it just now.
        var until = now + Timestamps(window.ResetTicks >= 0 ? window.ResetTicks : window.PeriodTicks);
        var isNext = !_isKnown || _refills || (window.Remaining > _remaining && until > _until + (SameResetSeconds * ticksPerSecond) && window.ResetTicks >= 0);
        _refills = false;
        if (isNext)
        {
            _isKnown = true;
            _remaining = window.Remaining;
            _until = until;
        }
        else if (window.Remaining <= _remaining)
        {
            _remaining = window.Remaining;
            _until = window.ResetTicks >= 0 ? Math.Max(_until, until) : _until;
        }
    }

    private void LearnBucket(in SignalWindow window, long cost, long sent, long now)
    {
        _ticksPerUnit = TicksPerUnit(in window);
        if (!_isKnown || !_refills)
        {
            _remaining = window.Remaining;
            _asOf = now;
        }
        else if (!_countsRequests || cost == 0)
        {
            // What we did not count here is only in what the provider says. Those in flight are counted apart, so what it says is short only of those that were answered meanwhile.
            LowerTo(window.Remaining, now);
            if (cost > 0 && AnsweredSince(sent) is >= 0 and var others)
            {
                var least = window.Remaining - (others * _unitsPerRequest);
                (_remaining, _asOf) = least > _remaining ? (least, now) : (_remaining, _asOf);
            }
        }
        else
        {
            // Our own count, in which this one has now arrived, is exact while nobody else takes. What came in since the provider spoke is at most this.
            _remaining = Math.Max(0, _remaining - cost);
            LowerTo(window.Remaining + DivideUp(now - sent, _ticksPerUnit), now);
        }

        _isKnown = true;
        _refills = true;
    }

    private void LowerTo(long remaining, long now)
    {
        if (remaining < _remaining)
        {
            _remaining = remaining;
            _asOf = now;
        }
    }

    private long TicksPerUnit(in SignalWindow window)
    {
        if (window.PeriodTicks > 0)
        {
            return Math.Max(1, DivideUp(Timestamps(window.PeriodTicks), window.Limit));
        }

        // What is left is rounded down, so what is used may be one less, and refilling a little slower.
        var used = Math.Max(1, window.Limit - window.Remaining);
        var period = (double)window.ResetTicks / used * window.Limit;
        foreach (var usual in UsualPeriods)
        {
            if (Math.Abs(period - usual.Ticks) < usual.Ticks * PeriodTolerance)
            {
                return Math.Max(1, DivideUp(Timestamps(usual.Ticks), window.Limit));
            }
        }

        return Math.Max(1, DivideUp(Timestamps(window.ResetTicks), Math.Max(1, used - 1)));
    }

    /// <summary>What a request takes of a window that counts something else. Nobody can know before; the next is taken to be as large as the last ones were.</summary>
    private void Estimate(in SignalWindow window, long sent, long now)
    {
        _countsRequests = window.Unit == SignalUnit.Requests;
        if (_countsRequests)
        {
            _unitsPerRequest = 1;
        }
        else if (window.Charged > 0)
        {
            // The provider takes it before it begins, and refuses when it is not there: room for the largest passes them all.
            Remember(window.Charged, int.MaxValue, now);
            _unitsPerRequest = Math.Max(1, Math.Max(_largest, _largestBefore));
        }
        else if (_isKnown && sent >= _toldSent && CallsSinceTold(sent) is > 0 and var calls && Expected(sent) - window.Remaining is > 0 and var taken)
        {
            // What was sent before the last that told says only what was left before that: the difference would be everybody's since then.
            var each = DivideUp(taken, calls);
            Remember(_isEstimated ? Math.Min(each, _unitsPerRequest * MaxRaise) : each, AnswersOfCharges, now);
            var largest = Math.Max(_largest, _largestBefore);
            _unitsPerRequest = largest + (largest / RoomDivisor);
            _isEstimated = true;
        }
    }

    /// <summary>Providers tell in the order in which calls are sent, and answers come in any.</summary>
    private void Tell(long remaining, long sent)
    {
        var taken = TakenBy(sent);
        if (sent > _toldSent || taken > _takenByTold)
        {
            (_told, _toldSent, _takenByTold) = sent >= _toldSent ? (remaining, sent, taken) : (_told, _toldSent, _takenByTold);
        }
        else if (sent == _toldSent)
        {
            _told = Math.Min(_told, remaining);
        }
    }

    /// <summary>What would be left for a call if nobody had taken anything since the last that told was sent.</summary>
    private long Expected(long sent) => _refills && _ticksPerUnit > 0 ? Math.Min(_limit, _told + ((sent - _toldSent) / _ticksPerUnit)) : _told;

    private void NoteTaken(long cost, long now)
    {
        _taken += cost;
        if (!_countsRequests)
        {
            (_takes ??= new (long, long)[RememberedTakes])[_takeCount++ & (RememberedTakes - 1)] = (now, _taken);
            _takesFrom = Math.Max(_takesFrom, _takeCount - RememberedTakes);
        }
    }

    /// <summary>It was taken and given back, most often at once, because another limit refuses.</summary>
    private void ForgetTaken(long cost, long takenAt)
    {
        _taken = Math.Max(0, _taken - cost);
        if (_takes is not { } takes)
        {
            return;
        }

        for (var i = _takeCount - 1; i >= _takesFrom && takes[i & (RememberedTakes - 1)].Taken > _taken && takes[i & (RememberedTakes - 1)].At >= takenAt; i--)
        {
            takes[i & (RememberedTakes - 1)].Taken -= cost;
        }

        // Those that are refused come by the thousand and must not push out what is under way.
        if (_takeCount - _takesFrom > 1 && takes[(_takeCount - 1) & (RememberedTakes - 1)].Taken <= takes[(_takeCount - 2) & (RememberedTakes - 1)].Taken)
        {
            _takeCount--;
        }
    }

    /// <summary>What was taken between the sending of the last that told and of this one; those before the window was known were not seen to take.</summary>
    private long CallsSinceTold(long sent) => Math.Max(TakenBy(sent) - _takenByTold, sent > _toldSent && _takesFrom == 0 ? 1 : 0);

    /// <summary>What had been taken in all when a call was sent.</summary>
    private long TakenBy(long sent)
    {
        for (var i = _takeCount - 1; i >= _takesFrom; i--)
        {
            if (_takes![i & (RememberedTakes - 1)] is var take && (take.At <= sent || i == _takesFrom))
            {
                return take.Taken;
            }
        }

        return _taken;
    }

    /// <summary>Somebody was answered.</summary>
    private void Note(long now)
    {
        if (!_countsRequests)
        {
            (_answeredAt ??= new long[RememberedAnswers])[_answers++ & (RememberedAnswers - 1)] = now;
        }
    }

    /// <summary>How many were answered since a time; -1 when they are too many to remember.</summary>
    private int AnsweredSince(long time)
    {
        var count = 0;
        foreach (var at in _answeredAt ?? [])
        {
            count += at > time ? 1 : 0;
        }

        return count < RememberedAnswers ? count : -1;
    }

    private void Remember(long charged, int answers, long now)
    {
        var span = ticksPerSecond * 60 * MinutesOfCharges;
        if (now - _largestSince >= span || _charges >= answers)
        {
            _largestBefore = now - _largestSince < 2 * span ? _largest : 0;
            _largest = 0;
            _largestSince = now;
            _charges = 0;
        }

        _charges++;

        _largest = Math.Max(_largest, charged);
    }

    /// <summary>What time alone has changed.</summary>
    private void Pass(long now)
    {
        if (!_isKnown)
        {
            return;
        }

        if (!_refills)
        {
            // Of the next window nothing is known until an answer tells of it.
            _isKnown = now < _until;
            return;
        }

        var units = (now - _asOf) / _ticksPerUnit;
        if (units > 0)
        {
            _remaining = Math.Min(_limit, _remaining + units);
            _asOf += units * _ticksPerUnit;
        }
    }

    private long WaitFor(long cost, long now)
    {
        Pass(now);
        if (!_isKnown)
        {
            // At the start of a window more than the whole of it may not be in flight. The first one always passes: somebody has to ask.
            return _limit > 0 && _countsRequests && _inFlight + cost > _limit && _inFlight > 0 ? UntilReleased : 0;
        }

        var need = Need(cost);
        if (need <= 0)
        {
            return 0;
        }

        if (!_refills)
        {
            return Math.Max(1, _until - now);
        }

        return need > (Never / 4) / _ticksPerUnit ? UntilReleased - 1 : Math.Max(1, (need * _ticksPerUnit) - (now - _asOf));
    }

    private long Need(long cost)
    {
        var units = (Int128)(_inFlight + cost) * _unitsPerRequest;
        if (!_countsRequests && _inFlight == 0 && _limit > 0)
        {
            // One alone is never larger than the whole: the estimate may be.
            units = Int128.Min(units, _limit);
        }

        return (long)Int128.Min(units - _remaining, Never / 4);
    }

    private static long DivideUp(long value, long by) => value <= 0 ? 0 : ((value - 1) / Math.Max(1, by)) + 1;

    private long Timestamps(long ticks) => ticksPerSecond == TimeSpan.TicksPerSecond ? ticks : (long)Math.Ceiling(ticks * ((double)ticksPerSecond / TimeSpan.TicksPerSecond));
}
