namespace Tidegate.Load.Peers;

/// <summary>nginx as an upstream that speaks TLS: the load upstream speaks cleartext only.</summary>
internal static class TlsUpstream
{
    public static string Configure(PeerPlace place) => PeerTemplate.Fill("nginx-upstream.conf", place);
}
