using Tidegate.Exchanges;

namespace Tidegate.Policies.Credential;

/// <summary>
/// What is known of one key of several: whether the provider takes it now. A key that was refused is set aside, longer each time in a row; then it has its turn again,
/// and the next answer decides. Times are timestamps of the clock.
/// </summary>
internal sealed class KeyHealth(string api, ProviderKey key, TimeProvider time)
{
    // Sixteen times the first: a key that stays refused is tried once in a quarter of an hour, one that was paid for again is found soon.
    private const int MaxDoublings = 4;

    // A burst that was too much is mostly over within a second.
    private static readonly TimeSpan FirstThrottle = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private int _throttlesInRow;
    private int _refusalsInRow;
    private long _setAsideSince = long.MinValue;
    private long _setAsideUntil = long.MinValue;
    private long _refusedAt = long.MinValue;
    private long _passed;
    private long _refused;
    private long _lastRefusedTicks;
    private volatile string _cause = "";

    public string Api => api;

    public ProviderKey Key => key;

    /// <summary>Requests that were sent with it and not refused for it.</summary>
    public long Passed => Interlocked.Read(ref _passed);

    /// <summary>Requests that were refused for it.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>The status that it was last refused with; empty when it never was.</summary>
    public string Cause => _cause;

    /// <summary>When it was last refused; null when it never was.</summary>
    public DateTimeOffset? LastRefused => Interlocked.Read(ref _lastRefusedTicks) is > 0 and var ticks ? new DateTimeOffset(ticks, TimeSpan.Zero) : null;

    /// <summary>Since when it has this value, in this process; null before that.</summary>
    public DateTimeOffset? InForceSince { get; set; }

    /// <summary>Until when it is set aside; in the past when it is not.</summary>
    public long SetAsideUntil => Interlocked.Read(ref _setAsideUntil);

    public bool IsSetAside(long now) => now < SetAsideUntil;

    /// <summary>Seconds until it has its turn again; 0 when it has.</summary>
    public double SetAsideSeconds() => SetAsideUntil is var until && until == long.MinValue ? 0 : Math.Max(0, (until - time.GetTimestamp()) / (double)time.TimestampFrequency);

    /// <summary>A request was answered, and the answer says nothing about its key.</summary>
    public void Answered() => Interlocked.Increment(ref _passed);

    /// <summary>A request was refused, perhaps for its key: there is no other, so nothing is set aside.</summary>
    public void NoteRefusal(string cause)
    {
        Interlocked.Increment(ref _refused);
        Interlocked.Exchange(ref _lastRefusedTicks, time.GetUtcNow().UtcTicks);
        _cause = cause;
    }

    /// <summary>A request was answered, and its key was taken.</summary>
    /// <param name="sent">When it was sent.</param>
    public void Pass(long sent)
    {
        Answered();
        if (Interlocked.Read(ref _refusedAt) == long.MinValue)
        {
            return;
        }

        lock (_gate)
        {
            // What was sent before a refusal does not contradict it.
            if (_refusedAt < sent)
            {
                (_throttlesInRow, _refusalsInRow) = (0, 0);
                Interlocked.Exchange(ref _refusedAt, long.MinValue);
                Interlocked.Exchange(ref _setAsideUntil, long.MinValue);
            }
        }
    }

    /// <summary>A request was refused for its key.</summary>
    /// <param name="refusal">How.</param>
    /// <param name="cause">The status.</param>
    /// <param name="wait">What the provider asked for; null when it did not say.</param>
    /// <param name="first">How long the key is set aside the first time when it did not say.</param>
    /// <param name="sent">When the request was sent.</param>
    /// <returns>Since when the key is set aside, for <see cref="Excuse"/>; <see cref="long.MinValue"/> when it was already when the request was sent, or is not.</returns>
    public long Refuse(KeyRefusal refusal, string cause, TimeSpan? wait, TimeSpan first, long sent)
    {
        NoteRefusal(cause);
        if (wait == TimeSpan.Zero)
        {
            // It may be used again at once: the provider says so.
            return long.MinValue;
        }

        var now = time.GetTimestamp();
        lock (_gate)
        {
            ref var row = ref (refusal == KeyRefusal.Throttled ? ref _throttlesInRow : ref _refusalsInRow);
            var isSetAside = IsSetAside(now);

            // Refusals of requests that were on their way together count once.
            row = isSetAside && row > 0 ? row : Math.Min(MaxDoublings + 1, row + 1);
            var shortest = refusal == KeyRefusal.Throttled ? FirstThrottle : first;
            var span = wait ?? TimeSpan.FromTicks(shortest.Ticks << (row - 1));
            _setAsideSince = isSetAside ? _setAsideSince : now;
            Interlocked.Exchange(ref _refusedAt, now);
            Interlocked.Exchange(ref _setAsideUntil, Math.Max(SetAsideUntil, now + (long)Math.Ceiling(span.TotalSeconds * time.TimestampFrequency)));
            return _setAsideSince >= sent ? _setAsideSince : long.MinValue;
        }
    }

    /// <summary>It was not the key's fault after all: it has its turn again as if it had not been refused.</summary>
    /// <param name="since">Since when it is set aside for that.</param>
    public void Excuse(long since)
    {
        lock (_gate)
        {
            if (since != long.MinValue && since == _setAsideSince && SetAsideUntil != long.MinValue)
            {
                _refusalsInRow = Math.Max(0, _refusalsInRow - 1);
                Interlocked.Exchange(ref _setAsideUntil, long.MinValue);
            }
        }
    }
}

/// <summary>Why a provider does not take a key.</summary>
internal enum KeyRefusal
{
    None,

    /// <summary>Too much at once: over in a moment.</summary>
    Throttled,

    /// <summary>Not known, not paid for, or its allowance is used up: nobody knows until when.</summary>
    NotAccepted,
}
