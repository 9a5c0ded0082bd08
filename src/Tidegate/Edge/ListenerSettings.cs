using System.Net;
using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>One address that the gateway listens on, as compiled from the configuration. Immutable; a reload replaces it as a whole.</summary>
public sealed record ListenerSettings
{
    /// <summary>As the configuration names it: <c>egress</c> or <c>ingress</c>. Stable over reloads.</summary>
    public required string Name { get; init; }

    /// <summary>Which rules its requests follow.</summary>
    public required Direction Direction { get; init; }

    /// <summary>Where it listens; port 0 lets the system choose.</summary>
    public required IPEndPoint Address { get; init; }

    /// <summary>Served certificates, chosen by SNI; the first one is the default. Empty means cleartext.</summary>
    public IReadOnlyList<CertificateFiles> Certificates { get; init; } = [];

    /// <summary>Whether HTTP/3 is served on the same port over UDP; without certificates never.</summary>
    public Http3Mode Http3 { get; init; }

    /// <summary>The UDP port that answers tell clients to use for HTTP/3; null is the one that is listened on.</summary>
    public int? Http3AdvertisedPort { get; init; }

    /// <summary>The CA that signs leaf certificates for intercepted tunnels; null when nothing can be intercepted.</summary>
    public CertificateFiles? Authority { get; init; }

    /// <summary>Ingress: peers whose X-Forwarded-* and Forwarded fields are believed. Empty believes nobody.</summary>
    public IReadOnlyList<IPNetwork> TrustedProxies { get; init; } = [];

    /// <summary>What its clients may take.</summary>
    public EdgeLimits Limits { get; init; } = EdgeLimits.Default;
}

/// <summary>A certificate chain and its private key, as PEM files.</summary>
/// <param name="Certificate">The leaf first, then its intermediates.</param>
/// <param name="Key">The unencrypted private key.</param>
public sealed record CertificateFiles(string Certificate, string Key);
