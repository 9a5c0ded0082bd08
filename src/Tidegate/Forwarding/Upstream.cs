using Tidegate.Forwarding.Http1;

namespace Tidegate.Forwarding;

/// <summary>Where an API's requests are sent and how; immutable, made by the compiler. Pools live apart, keyed by what they depend on, and survive a reload.</summary>
public sealed record Upstream
{
    /// <summary>64: those that an exchange has tried are bits.</summary>
    public const int MaxDestinations = 64;

    /// <summary>The API's name, for metrics.</summary>
    public required string Name { get; init; }

    /// <summary>Empty on egress means: wherever the exchange's target points.</summary>
    public required IReadOnlyList<Destination> Destinations { get; init; }

    /// <summary>Where each destination is, in the same order; empty when nobody said so.</summary>
    public IReadOnlyList<string> Regions { get; init; } = [];

    /// <summary>Which account at the provider each destination is, in the same order; empty when all are one, as replicas are.</summary>
    public IReadOnlyList<string> Accounts { get; init; } = [];

    /// <summary>How one of several destinations is chosen.</summary>
    public Balance Balance { get; init; }

    /// <summary>When one of several destinations is left out.</summary>
    public Ejection Ejection { get; init; } = Ejection.Default;

    public required UpstreamTimeouts Timeouts { get; init; }

    public UpstreamTls Tls { get; init; } = UpstreamTls.Verified;

    public UpstreamProtocol Protocol { get; init; }

    /// <summary>Send the destination's authority as <c>Host</c> instead of the client's. Off on ingress, so that the service sees the name its callers used.</summary>
    public bool RewriteHost { get; init; }

    /// <summary>Bound of open connections per destination. 0 is unbounded.</summary>
    public int MaxConnections { get; init; }

    /// <summary>Where its exchanges went last.</summary>
    internal PoolCache Pools => field is { } cache && cache.Slots.Length >= Destinations.Count ? cache : field = new PoolCache(Destinations.Count);
}

/// <summary>One address of an upstream. Equal destinations share a pool.</summary>
/// <param name="Scheme"><c>http</c> or <c>https</c>.</param>
/// <param name="Host">Name or address.</param>
/// <param name="Port">1 to 65535.</param>
public sealed record Destination(string Scheme, string Host, int Port)
{
    /// <inheritdoc/>
    public override string ToString() => Host.Contains(':') ? $"{Scheme}://[{Host}]:{Port}" : $"{Scheme}://{Host}:{Port}";
}

/// <summary>How one of several destinations is chosen.</summary>
public enum Balance
{
    /// <summary>Each in turn.</summary>
    RoundRobin,

    /// <summary>The first that answers, in the order in which they are written: the others are there for when it does not.</summary>
    Ordered,
}

/// <summary>Which HTTP is spoken to destinations.</summary>
public enum UpstreamProtocol
{
    /// <summary>Over TLS what ALPN gives, over cleartext HTTP/1.1 (HTTP/2 with prior knowledge for gRPC: <c>application/grpc</c> needs it).</summary>
    Auto,

    Http1,

    /// <summary>HTTP/2 only; with prior knowledge over cleartext.</summary>
    Http2,

    /// <summary>HTTP/3 only, over QUIC; upgrades, which it has none of, are HTTP/1.1 all the same.</summary>
    Http3,
}

/// <summary>How long each phase of an attempt may take.</summary>
/// <param name="Connect">Name, TCP and TLS together.</param>
/// <param name="ResponseHeaders">From the request's last byte to the response's complete head.</param>
/// <param name="Idle">Between two reads of a body or of a tunnel.</param>
/// <param name="Total">The whole exchange without upgrades and tunnels; null is unbounded, as streams need.</param>
public sealed record UpstreamTimeouts(TimeSpan Connect, TimeSpan ResponseHeaders, TimeSpan Idle, TimeSpan? Total)
{
    /// <summary>5 s to connect (a lost SYN is sent again after 1 and 3 s), 60 s for an answer to begin (LLMs think), 5 min of silence (SSE keep-alives come each 15 to 60 s), no total.</summary>
    public static readonly UpstreamTimeouts Default = new(TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(60), TimeSpan.FromMinutes(5), null);
}

/// <summary>How a destination's certificate is judged.</summary>
/// <param name="Verify">False accepts anything: for development only, and <c>check</c> warns.</param>
/// <param name="AuthorityFile">PEM file of additional roots; null uses the system's.</param>
/// <param name="ServerName">The SNI and certificate name; null is the host that the client asked for.</param>
public sealed record UpstreamTls(bool Verify, string? AuthorityFile, string? ServerName)
{
    /// <summary>Against the system's roots, by the target's name.</summary>
    public static readonly UpstreamTls Verified = new(true, null, null);
}
