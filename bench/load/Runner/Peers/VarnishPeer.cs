namespace Tidegate.Load.Peers;

/// <summary>A cache first of all: stands beside the others where answers are kept, and passes everything on where they are not.</summary>
internal sealed class VarnishPeer : Peer
{
    public override string Name => "Varnish";

    public override string Package => "varnish";

    public override string? Version() => Tool.FirstLine("varnishd", "-V")?.Split('-', ' ')[2];

    public override bool Can(PeerSetup setup) => setup is { Front: Front.Cleartext, UpstreamTls: false, Routes: 0 };

    public override PeerCommand Start(PeerSetup setup, PeerPlace place) => new(
        // Started as root it would become another user, who cannot read the run's folder: no jail.
        "varnishd", "-j", "none", "-F", "-a", $"127.0.0.1:{place.Port}", "-n", place.Folder, "-s", "malloc,64m",
        "-f", PeerTemplate.Fill("varnish.vcl", place, ("action", setup.Caches ? "hash" : "pass"), ("stream", setup.Streams ? "true" : "false")));
}
