using Tidegate.Load.Peers;
using Tidegate.Load.Traffic;

namespace Tidegate.Load.Scenarios;

/// <summary>The page, in its order. A feature that gets built adds its scenario here and takes its line out of <see cref="StillToCome"/>.</summary>
internal static class AllScenarios
{
    private static readonly Peer Tidegate = new TidegatePeer();
    private static readonly Peer Nginx = new NginxPeer();
    private static readonly Peer Haproxy = new HaproxyPeer();
    private static readonly Peer Caddy = new CaddyPeer();
    private static readonly Peer Varnish = new VarnishPeer();
    private static readonly Peer Yarp = new YarpPeer(inline: false);
    private static readonly Peer InlineYarp = new YarpPeer(inline: true);

    private static readonly RequestShape Small = new("/");

    public static IReadOnlyList<Scenario> All { get; } =
    [
        new("plain", "Plain forward, 200-byte answer", Every(new PeerSetup()), new ForwardKind(Small) { HasOpenLoop = true }) { IsQuick = true },
        new("key", "API key, access rule, rate limit of each consumer and a record of every exchange in a file, against nginx without any of it",
            [Quick(Nginx, new PeerSetup()), Quick(Tidegate, new PeerSetup { Tidegate = "limits" })],
            new ForwardKind(Small with { Key = TidegatePeer.ApiKey }) { HasOpenLoop = true }) { IsQuick = true },
        new("features", "What each feature costs Tidegate",
            [
                new(new TidegatePeer("plain forward"), new PeerSetup()),
                new(new TidegatePeer("exchange store"), new PeerSetup { Tidegate = "stored" }),
                new(new TidegatePeer("access log to a file"), new PeerSetup { Tidegate = "recorded" }),
                new(new TidegatePeer("access log, API key, access rule"), new PeerSetup { Tidegate = "key" }),
                new(new TidegatePeer("access log, API key, access rule, rate limit of each consumer"), new PeerSetup { Tidegate = "limits" }),
                new(new TidegatePeer("the same, with four limits, retries and a circuit breaker"), new PeerSetup { Tidegate = "resilience" }),
                new(new TidegatePeer("1,000 further APIs of the same host"), new PeerSetup { Tidegate = "routes", Routes = 1000 }),
            ],
            new ForwardKind(Small with { Key = TidegatePeer.ApiKey })),
        new("tls", "TLS in", Every(new PeerSetup { Front = Front.Tls, Tidegate = "tls" }), new ForwardKind(Small)) { IsQuick = true },
        new("tls-both", "TLS in and out", Every(new PeerSetup { Front = Front.Tls, UpstreamTls = true, Tidegate = "tls" }), new ForwardKind(Small)),
        new("http2", "HTTP/2 in over TLS, 16 connections with 4 streams each", Every(new PeerSetup { Front = Front.Http2, Tidegate = "tls" }), new ForwardKind(Small)),
        new("body-1k", "1 KB answers", Every(new PeerSetup()), new ForwardKind(new RequestShape("/bytes/1024"))),
        new("body-16k", "16 KB answers", Every(new PeerSetup()), new ForwardKind(new RequestShape("/bytes/16384"))) { IsQuick = true },
        new("body-100k", "100 KB answers", Every(new PeerSetup()), new ForwardKind(new RequestShape("/bytes/102400"))),
        new("body-10m", "10 MB answers", Every(new PeerSetup()), new ForwardKind(new RequestShape("/bytes/10485760"))),
        new("upload-100k", "100 KB uploads", Every(new PeerSetup()), new ForwardKind(new RequestShape("/", UploadBytes: 102_400))),
        new("routes", "1,000 path prefixes of one host, the 500th called",
            [Quick(Nginx, new PeerSetup { Routes = 1000 }), Quick(Tidegate, new PeerSetup { Routes = 1000, Tidegate = "routes" })],
            new ForwardKind(new RequestShape("/api500/orders/17"))),
        new("cache", "Cache hit, 1 KB from memory", Every(new PeerSetup { Caches = true, Tidegate = "cache" }), new ForwardKind(new RequestShape("/cached/1024"))),
        new("streams", "Event streams, one event a second on each", Every(new PeerSetup { Streams = true }), new StreamKind()),
        new("idle", "Idle connections that have had one answer", Every(new PeerSetup()), new IdleKind()),
        new("memory", "Memory", Every(new PeerSetup()), new MemoryKind()),
        new("added", "Added latency: 16 connections, 2,000 requests/s, everything on one core", Every(new PeerSetup()), new AddedKind())
        {
            Adapt = static options => options with { Connections = 16, LoadCore = options.ProxyCore, Rate = 2000 },
        },
        new("start", "Start", Every(new PeerSetup()), new StartKind()) { IsQuick = true },
    ];

    /// <summary>Rows that the work on a feature brings with it.</summary>
    public static IReadOnlyList<string> StillToCome { get; } =
    [
    ];

    private static ScenarioEntry[] Every(PeerSetup setup) =>
    [
        Quick(Nginx, setup), Quick(Tidegate, setup), new(Haproxy, setup), Quick(InlineYarp, setup), new(Yarp, setup), new(Caddy, setup), new(Varnish, setup),
    ];

    private static ScenarioEntry Quick(Peer peer, PeerSetup setup) => new(peer, setup) { IsQuick = true };
}
