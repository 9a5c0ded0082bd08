using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Forwarding.Http1;

/// <summary>
/// Which phase of an exchange the connection's deadline is armed for. While content is still being sent, two flows know something of it: then each says what it
/// sees, under a lock.
/// </summary>
internal sealed class PhaseClock(TimeProvider time)
{
    private readonly Lock _gate = new();
    private Deadline _deadline = null!;
    private UpstreamTimeouts _timeouts = null!;
    private long _totalDue;
    private bool _isDuplex;
    private bool _hasHead;
    private bool _readerWaits;

    /// <summary>What the deadline stands for now, or stood for when it expired.</summary>
    public FailureKind Phase { get; private set; } = FailureKind.ResponseHeadersTimeout;

    /// <summary>An exchange begins on a connection.</summary>
    /// <param name="deadline">The connection's.</param>
    /// <param name="timeouts">The upstream's.</param>
    /// <param name="received">When the exchange began, for the total.</param>
    public void Begin(Deadline deadline, UpstreamTimeouts timeouts, long received)
    {
        _deadline = deadline;
        _timeouts = timeouts;
        _totalDue = timeouts.Total is { } total ? received + (long)(total.TotalSeconds * time.TimestampFrequency) : 0;
        _isDuplex = false;
        _hasHead = false;
        _readerWaits = false;
    }

    /// <summary>The whole request was sent at once.</summary>
    public void RequestSent(long now) => Arm(FailureKind.ResponseHeadersTimeout, _timeouts.ResponseHeaders, now);

    /// <summary>Content will follow.</summary>
    public void ContentFollows(long now)
    {
        _isDuplex = true;
        Arm(FailureKind.IdleTimeout, _timeouts.Idle, now);
    }

    /// <summary>Some content was sent, or asked of the client.</summary>
    public void ContentMoves()
    {
        lock (_gate)
        {
            if (!_hasHead || _readerWaits)
            {
                Arm(FailureKind.IdleTimeout, _timeouts.Idle, time.GetTimestamp());
            }
        }
    }

    /// <summary>The last of the content was sent; returns when.</summary>
    public long ContentSent()
    {
        var now = time.GetTimestamp();
        lock (_gate)
        {
            if (!_hasHead)
            {
                Arm(FailureKind.ResponseHeadersTimeout, _timeouts.ResponseHeaders, now);
            }
        }

        return now;
    }

    /// <summary>The final head is complete.</summary>
    public void HeadArrived()
    {
        if (_isDuplex)
        {
            lock (_gate)
            {
                _hasHead = true;
                Disarm();
            }
        }
        else
        {
            Disarm();
        }
    }

    /// <summary>The answer's reader waits for the upstream.</summary>
    public void ReaderWaits()
    {
        if (_isDuplex)
        {
            lock (_gate)
            {
                _readerWaits = true;
                Arm(FailureKind.IdleTimeout, _timeouts.Idle, time.GetTimestamp());
            }
        }
        else
        {
            Arm(FailureKind.IdleTimeout, _timeouts.Idle, time.GetTimestamp());
        }
    }

    /// <summary>The upstream has sent something. From here on a slow client is not the upstream's silence.</summary>
    public void ReaderGoesOn()
    {
        if (_isDuplex)
        {
            lock (_gate)
            {
                _readerWaits = false;
                Disarm();
            }
        }
        else
        {
            Disarm();
        }
    }

    private void Arm(FailureKind phase, TimeSpan limit, long now)
    {
        if (_totalDue != 0)
        {
            var left = time.GetElapsedTime(now, _totalDue);
            if (left < limit)
            {
                phase = FailureKind.TotalTimeout;
                limit = left;
            }
        }

        if (!_deadline.IsExpired)
        {
            Phase = phase;
        }

        _deadline.Set(limit, now);
    }

    private void Disarm()
    {
        if (_totalDue == 0)
        {
            _deadline.Clear();
        }
        else
        {
            Arm(FailureKind.TotalTimeout, TimeSpan.MaxValue, time.GetTimestamp());
        }
    }
}
