using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Edge;

/// <summary>Bounds how long answers may wait for a client that does not read. Costs a deadline only where one ever waits.</summary>
internal sealed class StallTimer(PipeWriter output, Deadlines deadlines) : IDisposable
{
    private static readonly Failure Stalled = new(FailureSource.Client, FailureKind.ClientStalled, Retryable: false, "The client did not read the answer.");

    private Deadline? _deadline;

    /// <summary>Waits for a flush that the client holds up.</summary>
    /// <param name="flushing">One at a time.</param>
    /// <param name="limit">For this one.</param>
    /// <exception cref="MessageBodyException">It waited for as long as allowed; the connection cannot be used any more.</exception>
    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<FlushResult> WaitAsync(ValueTask<FlushResult> flushing, TimeSpan limit)
    {
        _deadline ??= deadlines.Add(static output => ((PipeWriter)output).CancelPendingFlush(), output);
        _deadline.Set(limit);
        var result = await flushing;

        // Kestrel's HTTP/2 does not say that a flush was cancelled.
        return !_deadline.Clear() || result.IsCanceled ? throw new MessageBodyException(Stalled) : result;
    }

    public void Dispose() => _deadline?.Dispose();
}
