namespace Tidegate.Load.Peers;

internal sealed class CaddyPeer : Peer
{
    public override string Name => "Caddy";

    public override string Package => "caddy";

    public override string? Version() => Tool.FirstLine("caddy", "version")?.Split(' ')[0].TrimStart('v');

    public override bool Can(PeerSetup setup) => !setup.Caches && setup.Routes == 0;

    public override PeerCommand Start(PeerSetup setup, PeerPlace place) => new("caddy", "run", "--adapter", "caddyfile", "--config", PeerTemplate.Fill("Caddyfile", place,
        ("scheme", setup.Front == Front.Cleartext ? "http" : "https"),
        ("protocols", setup.Front == Front.Http2 ? "h1 h2" : "h1"),
        ("tls", setup.Front == Front.Cleartext ? "" : $"tls {place.Certificate.ChainFile} {place.Certificate.KeyFile}"),
        ("upstream_scheme", setup.UpstreamTls ? "https" : "http"),
        ("transport", setup.UpstreamTls ? "tls_insecure_skip_verify" : "")))
    {
        Environment = { ["XDG_DATA_HOME"] = place.Folder, ["XDG_CONFIG_HOME"] = place.Folder },
    };
}
