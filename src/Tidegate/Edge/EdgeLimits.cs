namespace Tidegate.Edge;

/// <summary>What one listener lets a client take from the gateway. Every limit is on by default; the reasons stand here.</summary>
public sealed record EdgeLimits
{
    /// <summary>The limits of a listener whose configuration names none.</summary>
    public static readonly EdgeLimits Default = new();

    /// <summary>Request line and fields together. 32 KiB: twice what large cookies and tokens need, little enough to hold for 10,000 connections.</summary>
    public int MaxHeadBytes { get; init; } = 32 * 1024;

    /// <summary>The request target alone. 8,000 octets is what RFC 9112 section 3 asks every server to support at least.</summary>
    public int MaxTargetBytes { get; init; } = 8 * 1024;

    /// <summary>Fields in one head. 100: three times what browsers send; bounds the work per field.</summary>
    public int MaxHeaderCount { get; init; } = 100;

    /// <summary>All trailer fields of one request together. 8 KiB: trailers carry checksums and statuses, not documents.</summary>
    public int MaxTrailerBytes { get; init; } = 8 * 1024;

    /// <summary>From the first byte of a head to its end; also the time for a TLS handshake. 15 s outlives a bad mobile link, not a slow-header attack.</summary>
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a connection may wait for its next request. 75 s, above the 60 s after which most balancers in front give up, so that they close first.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(75);

    /// <summary>Request content must arrive at this average while we wait for it; 0 is off. 240 B/s is slower than any working link.</summary>
    public int MinBodyBytesPerSecond { get; init; } = 240;

    /// <summary>How long content may be slower than that rate before it counts. 5 s: a connection that begins slowly, or pauses once, is no attack.</summary>
    public TimeSpan BodyGrace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The longest pause in a body, however fast it was before, and the longest time that a client may not read our answer. 60 s, as other servers have it.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Unread request content that is read and thrown away to keep a connection, or so that the client reads our reply before a reset. 64 KiB: cheaper than a new TLS connection.</summary>
    public int MaxDrainBytes { get; init; } = 64 * 1024;

    /// <summary>How long that may take. 500 ms: what was in flight when we replied arrives within a round trip.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Open connections of this listener. 10,000: 16 KiB each stays below 200 MB.</summary>
    public int MaxConnections { get; init; } = 10_000;

    /// <summary>Open connections of one client address. 1,000: an office behind one NAT fits, one machine cannot take the listener.</summary>
    public int MaxConnectionsPerAddress { get; init; } = 1_000;

    /// <summary>Concurrent requests of an HTTP/2 or HTTP/3 connection. 100 is the least that RFC 9113 section 6.5.2 and RFC 9114 section 6.1 recommend.</summary>
    public int MaxStreamsPerConnection { get; init; } = 100;
}
