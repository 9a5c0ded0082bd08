using System.Runtime.InteropServices;

namespace Tidegate.Host.Commands;

/// <summary>SIGTERM and Ctrl-C: at the first the process ends by itself once it has drained, at the second the system ends it at once.</summary>
internal sealed class StopSignal : IDisposable
{
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PosixSignalRegistration _terminated;
    private readonly PosixSignalRegistration _interrupted;

    public StopSignal()
    {
        _terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        _interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
    }

    /// <summary>Completes at the first signal.</summary>
    public Task Stopped => _stopped.Task;

    public void Dispose()
    {
        _terminated.Dispose();
        _interrupted.Dispose();
    }

    private void Stop(PosixSignalContext context)
    {
        // Whoever asks twice does not want to wait, whatever holds the drain up: then the signal does what it does to any process.
        context.Cancel = _stopped.TrySetResult();
    }
}
