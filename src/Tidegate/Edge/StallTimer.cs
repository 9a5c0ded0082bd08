using System.IO.Pipelines;
using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>Bounds how long an answer may wait for a client that does not read. Costs a timer only for answers that ever wait.</summary>
internal sealed class StallTimer(PipeWriter output, TimeSpan limit, TimeProvider time) : IDisposable
{
    private static readonly Failure Stalled = new(FailureSource.Client, FailureKind.ClientStalled, Retryable: false, "The client did not read the answer.");

    private ITimer? _timer;
    private volatile bool _isArmed;
    private volatile bool _hasStalled;
    private long _since;

    /// <summary>Waits for a flush that the client holds up.</summary>
    /// <exception cref="MessageBodyException">It waited for as long as allowed; the connection cannot be used any more.</exception>
    public async ValueTask<FlushResult> WaitAsync(ValueTask<FlushResult> flushing)
    {
        Volatile.Write(ref _since, time.GetTimestamp());
        if (!_isArmed)
        {
            _isArmed = true;
            _timer ??= time.CreateTimer(static timer => ((StallTimer)timer!).Check(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _timer.Change(limit, Timeout.InfiniteTimeSpan);
        }

        var result = await flushing;
        Volatile.Write(ref _since, 0);

        // Kestrel's HTTP/2 does not say that a flush was cancelled.
        return _hasStalled || result.IsCanceled ? throw new MessageBodyException(Stalled) : result;
    }

    public void Dispose() => _timer?.Dispose();

    private void Check()
    {
        // Before the look at the flush, so that one that begins now arms the timer again.
        _isArmed = false;
        var since = Volatile.Read(ref _since);
        if (since == 0)
        {
            return;
        }

        var left = limit - time.GetElapsedTime(since);
        if (left <= TimeSpan.Zero)
        {
            _hasStalled = true;
            output.CancelPendingFlush();
        }
        else
        {
            _isArmed = true;
            _timer!.Change(left, Timeout.InfiniteTimeSpan);
        }
    }
}
