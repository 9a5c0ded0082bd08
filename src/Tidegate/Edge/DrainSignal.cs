namespace Tidegate.Edge;

/// <summary>Tells every connection that the gateway is going away: idle ones close, busy ones close after their current exchange.</summary>
internal sealed class DrainSignal : IDisposable
{
    private readonly CancellationTokenSource _source = new();

    /// <summary>Whether it has begun.</summary>
    public bool IsDraining => _source.IsCancellationRequested;

    /// <summary>Cancelled when it begins.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Begins; there is no way back.</summary>
    public void Begin() => _source.Cancel();

    /// <inheritdoc/>
    public void Dispose() => _source.Dispose();
}
