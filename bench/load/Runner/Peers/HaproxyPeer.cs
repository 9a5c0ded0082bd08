namespace Tidegate.Load.Peers;

internal sealed class HaproxyPeer : Peer
{
    public override string Name => "HAProxy";

    public override string Package => "haproxy";

    public override string? Version() => Tool.FirstLine("haproxy", "-v")?.Split(' ')[2].Split('-')[0];

    public override bool Can(PeerSetup setup) => !setup.Caches && setup.Routes == 0;

    public override PeerCommand Start(PeerSetup setup, PeerPlace place) => new("haproxy", "-db", "-f", PeerTemplate.Fill("haproxy.cfg", place,
        ("bind", setup.Front switch { Front.Tls => $" ssl crt {place.Certificate.BothFile}", Front.Http2 => $" ssl crt {place.Certificate.BothFile} alpn h2", _ => "" }),
        ("server", setup.UpstreamTls ? " ssl verify none" : "")));
}
