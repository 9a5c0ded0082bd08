using System.Text;

namespace Tidegate.Load.Peers;

internal sealed class NginxPeer : Peer
{
    public override string Name => "nginx";

    public override string Package => "nginx-light";

    public override string? Version() => Tool.FirstLine("nginx", "-v")?.Split('/')[^1];

    public override bool Can(PeerSetup setup) => true;

    public override PeerCommand Start(PeerSetup setup, PeerPlace place)
    {
        var scheme = setup.UpstreamTls ? "https" : "http";
        var routes = new StringBuilder();
        for (var i = 0; i < setup.Routes; i++)
        {
            routes.Append($"location /api{i} {{ proxy_pass {scheme}://u; }}\n");
        }

        var file = PeerTemplate.Fill("nginx.conf", place,
            ("listen", setup.Front switch { Front.Tls => " ssl", Front.Http2 => " ssl http2", _ => "" }),
            ("scheme", scheme),
            ("buffering", setup.Streams ? "off" : "on"),
            ("cache_path", setup.Caches ? $"proxy_cache_path {place.Folder}/cache keys_zone=c:10m;" : ""),
            ("cache", setup.Caches ? "proxy_cache c;" : ""),
            ("routes", routes.ToString()));
        return new PeerCommand("nginx", "-c", file, "-p", place.Folder);
    }
}
