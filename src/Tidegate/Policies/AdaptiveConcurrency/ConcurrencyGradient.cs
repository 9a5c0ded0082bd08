namespace Tidegate.Policies.AdaptiveConcurrency;

/// <summary>
/// Seeks how many attempts an upstream can work on at once, from how long it takes to begin an answer. While that is about as long as when it has little to do, more are let;
/// when it grows, calls wait inside the upstream, and fewer are. The gradient of Envoy's adaptive concurrency filter, which follows Netflix's. Times are timestamps of the clock.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="random">Gives 0 to below 1.</param>
internal sealed class ConcurrencyGradient(TimeProvider time, Func<double> random)
{
    // What a probe needs to say something about the middle; also what may be remembered of a busy tenth of a second.
    private const int ProbeSamples = 50;
    private const int MaxSamples = 256;

    // A limit is changed at most ten times a second, and not for a handful of calls.
    private const int UpdateSamples = 20;
    private static readonly TimeSpan UpdateInterval = TimeSpan.FromMilliseconds(100);

    // 20 before anything is known, as Netflix begins.
    private const int Initial = 20;

    // A quarter above the least is still no sign of waiting: networks vary by that much.
    private const double Buffer = 1.25;
    private const double LeastGradient = 0.5;
    private const double GreatestGradient = 2;

    // Gateways that were started together do not probe together.
    private const double Jitter = 0.15;

    // Where nothing begins or ends, nothing is measured either: without one more now and then, what is stuck would be the last word.
    private static readonly TimeSpan Stillness = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly long[] _samples = new long[MaxSamples];
    private readonly long _stillTicks = (long)(Stillness.TotalSeconds * time.TimestampFrequency);
    private readonly long _updateTicks = (long)(UpdateInterval.TotalSeconds * time.TimestampFrequency);
    private double _limit = Initial;
    private bool _isProbing = true;
    private int _inFlight;
    private int _peak;
    private int _count;
    private int _generation;
    private long _minimum;
    private long _updatedAt;
    private long _nextProbe;
    private long _refused;
    private long _movedAt;

    /// <summary>How many may be in flight.</summary>
    public int Limit => (int)Volatile.Read(ref _limit);

    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>How long an upstream with little to do takes; zero when that was not measured yet.</summary>
    public TimeSpan Minimum => TimeSpan.FromSeconds(Volatile.Read(ref _minimum) / (double)time.TimestampFrequency);

    /// <summary>Attempts for which there was no room.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Asks to make an attempt; one that may is followed by <see cref="Leave"/>.</summary>
    /// <param name="settings">The bounds.</param>
    /// <param name="now">A timestamp.</param>
    /// <param name="generation">To be given with how long it took.</param>
    public bool TryEnter(AdaptiveConcurrencySettings settings, long now, out int generation)
    {
        lock (_gate)
        {
            _limit = Math.Clamp(_limit, settings.Min, settings.Max);
            if (!_isProbing && now >= _nextProbe)
            {
                Begin(isProbing: true, now);
            }

            generation = _generation;

            // Half of what it is has no queue, where what it is has hardly any; to fall back to the least would refuse most of what is sent, once a minute.
            var allowed = _isProbing && _minimum > 0 ? Math.Max(settings.Min, (int)_limit / 2) : (int)_limit;
            if (_inFlight >= allowed && (_inFlight >= settings.Max || now - _movedAt < _stillTicks))
            {
                _refused++;
                return false;
            }

            _movedAt = now;
            _peak = Math.Max(_peak, ++_inFlight);
            return true;
        }
    }

    /// <summary>An attempt is over: its answer has begun, or never will.</summary>
    public void Leave(long now)
    {
        lock (_gate)
        {
            _inFlight--;
            _movedAt = now;
        }
    }

    /// <summary>An attempt's answer began, or did not come in time.</summary>
    public void Took(AdaptiveConcurrencySettings settings, int generation, long ticks, long now)
    {
        lock (_gate)
        {
            // What began before the limit was changed for a probe, or back, was in other company.
            if (generation != _generation)
            {
                return;
            }

            if (_count < MaxSamples)
            {
                _samples[_count++] = ticks;
            }

            if (_isProbing)
            {
                if (_count >= ProbeSamples)
                {
                    _minimum = Math.Max(1, Median());
                    _nextProbe = now + (long)(settings.ProbeEvery.TotalSeconds * time.TimestampFrequency * (1 + (Jitter * random())));
                    Begin(isProbing: false, now);
                }
            }
            else if (_count >= UpdateSamples && now - _updatedAt >= _updateTicks)
            {
                Update(settings);
                _updatedAt = now;
                _count = _peak = 0;
            }
        }
    }

    private void Update(AdaptiveConcurrencySettings settings)
    {
        var gradient = Math.Clamp(_minimum * Buffer / Math.Max(1, Median()), LeastGradient, GreatestGradient);
        var next = (gradient * _limit) + Math.Sqrt(_limit);

        // A limit that nothing has come near says nothing about whether a higher one would do.
        if (next < _limit || _peak * 2 >= _limit)
        {
            _limit = Math.Clamp(next, settings.Min, settings.Max);
        }
    }

    private void Begin(bool isProbing, long now)
    {
        _isProbing = isProbing;
        _generation++;
        _updatedAt = now;
        _count = _peak = 0;
    }

    private long Median()
    {
        var samples = _samples.AsSpan(0, _count);
        samples.Sort();
        return samples[_count / 2];
    }
}
