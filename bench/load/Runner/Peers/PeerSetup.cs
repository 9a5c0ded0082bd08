namespace Tidegate.Load.Peers;

/// <summary>What a proxy speaks to its clients.</summary>
internal enum Front
{
    Cleartext,
    Tls,

    /// <summary>HTTP/2 over TLS.</summary>
    Http2,
}

/// <summary>What a scenario asks of a proxy.</summary>
internal sealed record PeerSetup
{
    public Front Front { get; init; }

    /// <summary>The upstream speaks TLS too.</summary>
    public bool UpstreamTls { get; init; }

    /// <summary>Answers must leave as they arrive.</summary>
    public bool Streams { get; init; }

    /// <summary>Answers that may be kept are kept, in memory where the proxy can.</summary>
    public bool Caches { get; init; }

    /// <summary>Path prefixes that are routes of their own, <c>/api0</c> to <c>/apiN</c>; 0 is one route for everything.</summary>
    public int Routes { get; init; }

    /// <summary>The file under bench/load/tidegate that Tidegate runs with, without its ending.</summary>
    public string Tidegate { get; init; } = "plain";
}

/// <summary>Where a proxy runs.</summary>
/// <param name="Port">Where it listens, on 127.0.0.1.</param>
/// <param name="UpstreamPort">Where it forwards to, on 127.0.0.1.</param>
/// <param name="Folder">Its own, for files that it needs.</param>
/// <param name="Certificate">PEM files that every peer serves when it serves TLS.</param>
internal sealed record PeerPlace(int Port, int UpstreamPort, string Folder, LoadCertificate Certificate);

/// <summary>How a process is started.</summary>
internal sealed record PeerCommand(string File, params string[] Arguments)
{
    public Dictionary<string, string> Environment { get; init; } = [];
}
