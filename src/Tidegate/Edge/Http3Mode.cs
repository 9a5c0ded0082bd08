namespace Tidegate.Edge;

/// <summary>Whether a listener with TLS serves HTTP/3 too.</summary>
public enum Http3Mode
{
    /// <summary>Where the machine has libmsquic. The default: the same configuration works with and without it, and TCP is always there to fall back to.</summary>
    Auto,

    /// <summary>Always: without libmsquic the gateway does not start.</summary>
    On,

    /// <summary>Never: nothing listens on UDP.</summary>
    Off,
}
