namespace Tidegate.Load.Peers;

/// <summary>YARP's direct forwarder in an otherwise empty application; as it comes, or with the settings that keep a request on one thread.</summary>
internal sealed class YarpPeer(bool inline) : Peer
{
    public override string Name => inline ? "YARP, inline" : "YARP";

    public override string Package => "built by bench/load/run";

    public override double WarmUpSeconds => 20;

    public override string? Version() => !File.Exists(Binary) ? null : System.Diagnostics.FileVersionInfo.GetVersionInfo(Path.Combine(Path.GetDirectoryName(Binary)!, "Yarp.ReverseProxy.dll")).ProductVersion?.Split('+')[0];

    public override bool Can(PeerSetup setup) => !setup.Caches && setup.Routes == 0;

    public override PeerCommand Start(PeerSetup setup, PeerPlace place)
    {
        string[] certificate = setup.Front == Front.Cleartext ? [] : [place.Certificate.ChainFile, place.Certificate.KeyFile];
        var upstream = $"{(setup.UpstreamTls ? "https" : "http")}://127.0.0.1:{place.UpstreamPort}";
        return new PeerCommand(Binary, [$"{place.Port}", upstream, inline ? "inline" : "stock", .. certificate])
        {
            Environment = inline ? new() { ["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1", ["DOTNET_SYSTEM_NET_SOCKETS_THREAD_COUNT"] = "1" } : [],
        };
    }

    private static string Binary => Repository.File("bench/load/YarpPeer/bin/Release/net10.0/load-yarp");
}
