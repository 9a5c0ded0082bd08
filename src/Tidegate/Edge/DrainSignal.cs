namespace Tidegate.Edge;

/// <summary>
/// Tells every connection that the gateway is going away. First, answers say that their connection closes; a moment later connections without a request close.
/// </summary>
internal sealed class DrainSignal : IDisposable
{
    private readonly CancellationTokenSource _idle = new();
    private volatile bool _isDraining;

    /// <summary>Whether it has begun: a connection closes after its current exchange.</summary>
    public bool IsDraining => _isDraining;

    /// <summary>Whether connections close that wait for a request. Not at once: what a client sent before it could know of the drain is still answered.</summary>
    public bool ClosesIdle => _idle.IsCancellationRequested;

    /// <summary>Cancelled when <see cref="ClosesIdle"/> becomes true.</summary>
    public CancellationToken Token => _idle.Token;

    /// <summary>Begins; there is no way back.</summary>
    public void Begin() => _isDraining = true;

    /// <summary>Nobody may still have a request on its way.</summary>
    public void CloseIdle() => _idle.Cancel();

    /// <inheritdoc/>
    public void Dispose() => _idle.Dispose();
}
