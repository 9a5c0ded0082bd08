using Tidegate.Forwarding;
using Tidegate.Policies;
using Tidegate.Routing;

namespace Tidegate;

/// <summary>What one configuration compiles to. Immutable; replaced as a whole. An exchange uses the snapshot that it began with.</summary>
public sealed class GatewaySnapshot
{
    /// <summary>Counts up with every successful load in this process, from 1.</summary>
    public required long Version { get; init; }

    /// <summary>Finds an exchange's route.</summary>
    public required RouteTable Routes { get; init; }

    /// <summary>By <see cref="Route.Index"/>.</summary>
    public required IReadOnlyList<RoutePlan> Plans { get; init; }

    /// <summary>For egress hosts that no API lists; null when they are refused.</summary>
    public RoutePlan? Unlisted { get; init; }
}

/// <summary>What happens to exchanges of one route.</summary>
public sealed class RoutePlan
{
    /// <summary>The route; for unlisted hosts one with an empty API name.</summary>
    public required Route Route { get; init; }

    /// <summary>Policies in order, ending in the forwarder.</summary>
    public required PolicyPipeline Pipeline { get; init; }

    /// <summary>For <c>explain</c>, the admin API and the end of the pipeline.</summary>
    public required Upstream Upstream { get; init; }

    /// <summary>Egress: what a base-URL call to this API is addressed to, scheme, host and port (the API's first exact host, over https).</summary>
    public Destination? BaseTarget { get; init; }

    /// <summary>Ingress: the API's services decode <c>%2F</c> as data, so it may pass. Off by default: matching and service could disagree on segments.</summary>
    public bool AllowEncodedSlash { get; init; }

    /// <summary>What a CONNECT to this API's hosts does.</summary>
    public TunnelMode Tunnel { get; init; }

    /// <summary>The largest request content in bytes; null is unbounded.</summary>
    public long? MaxRequestBodyBytes { get; init; }
}

/// <summary>What a CONNECT does.</summary>
public enum TunnelMode
{
    /// <summary>Bytes are carried after the ClientHello's SNI was found to equal the CONNECT host.</summary>
    Verified,

    /// <summary>Bytes are carried whatever they are (<c>tunnel: any</c>).</summary>
    Any,

    /// <summary>TLS ends here, with a certificate of our own CA; the requests inside are handled like any others.</summary>
    Intercept,

    /// <summary>Refused: the API has rules about content that a tunnel would go around, and interception is off.</summary>
    Refused,
}
