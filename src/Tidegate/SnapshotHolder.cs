namespace Tidegate;

/// <summary>The snapshot in force. Reading it is one volatile load.</summary>
public sealed class SnapshotHolder(GatewaySnapshot first)
{
    private volatile GatewaySnapshot _current = first;

    /// <summary>The snapshot that new exchanges use.</summary>
    public GatewaySnapshot Current
    {
        get => _current;
        set => _current = value;
    }
}
