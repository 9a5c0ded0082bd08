using Tidegate.Exchanges;

namespace Tidegate.Forwarding.SocketsHttp;

/// <summary>
/// The clock of one attempt: one cancellation source that each phase arms with its own limit. It remembers which limit was armed, so
/// that a cancellation says what was too slow.
/// </summary>
internal sealed class Attempt : IDisposable
{
    // As good as never: the longest that a timer can be set to.
    private static readonly TimeSpan Longest = TimeSpan.FromDays(24);

    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _source;
    private readonly CancellationTokenRegistration _clientGone;
    private readonly long _deadline;
    private readonly CancellationToken _aborted;
    private FailureKind _armed = FailureKind.TotalTimeout;

    public Attempt(Exchange exchange, UpstreamTimeouts timeouts, TimeProvider time)
    {
        _time = time;
        Timeouts = timeouts;
        _aborted = exchange.Aborted;
        _source = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _deadline = timeouts.Total is { } total ? exchange.Timings.Received + (long)(total.TotalSeconds * time.TimestampFrequency) : long.MaxValue;
        _clientGone = _aborted.UnsafeRegister(static state => ((CancellationTokenSource)state!).Cancel(), _source);
    }

    public UpstreamTimeouts Timeouts { get; }

    public CancellationToken Token => _source.Token;

    /// <summary>The exchange's own cancellation.</summary>
    public CancellationToken Aborted => _aborted;

    /// <summary>Set when the client's body, not the upstream, broke the attempt.</summary>
    public Failure? RequestBodyFailure { get; set; }

    /// <summary>Set when the upstream took none of the request after content had been read for it, so that the handler cannot send it again by itself.</summary>
    public bool IsTurnedAway { get; set; }

    /// <summary>Told when the attempt is over, answer and all.</summary>
    public IDisposable? Ending { get; set; }

    /// <summary>From now on the attempt is cancelled after this phase's limit, or at the total deadline when that comes first.</summary>
    public void Arm(FailureKind phase, TimeSpan limit)
    {
        _armed = phase;
        if (_deadline != long.MaxValue)
        {
            var left = _time.GetElapsedTime(_time.GetTimestamp(), _deadline);
            if (left < limit)
            {
                _armed = FailureKind.TotalTimeout;
                limit = left > TimeSpan.Zero ? left : TimeSpan.Zero;
            }
        }

        _source.CancelAfter(limit);
    }

    /// <summary>No phase is being waited for: only the total deadline counts.</summary>
    public void Disarm() => Arm(FailureKind.TotalTimeout, Longest);

    /// <summary>Ends whatever the attempt still waits for.</summary>
    public void Cancel() => _source.Cancel();

    /// <summary>Why the attempt was cancelled.</summary>
    public Failure CancellationFailure() => _aborted.IsCancellationRequested ? UpstreamFailures.ClientGone : UpstreamFailures.TooSlow(_armed);

    public void Dispose()
    {
        _clientGone.Dispose();
        _source.Dispose();
        Ending?.Dispose();
    }
}
