namespace Tidegate.Control;

/// <summary>Whether the gateway should be sent traffic, and why not.</summary>
internal sealed class Readiness
{
    private volatile GatewayState _state = GatewayState.Starting;

    public GatewayState State => _state;

    /// <summary>The state's word.</summary>
    public string Word => _state.ToString().ToLowerInvariant();

    public void Enter(GatewayState state) => _state = state;
}

/// <summary>The life of a gateway process.</summary>
internal enum GatewayState
{
    /// <summary>The traffic listeners do not listen yet.</summary>
    Starting,

    /// <summary>Traffic is served.</summary>
    Ready,

    /// <summary>What is in flight is finished; nothing new is taken.</summary>
    Draining,
}
