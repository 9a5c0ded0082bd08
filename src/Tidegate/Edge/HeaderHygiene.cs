using System.Net;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>
/// What of a client's request fields may go further. First everything that <c>Connection</c> names, then hop-by-hop, framing, forwarded and
/// identity fields; ours are added last, so that no client can name them away. Used for every protocol.
/// </summary>
internal static class HeaderHygiene
{
    // Bounds the work on a hostile X-Forwarded-For; more proxies in a row than this is no real network.
    private const int MaxForwardedHops = 32;

    /// <summary>
    /// Cleans <see cref="Exchange.RequestHeaders"/> in place and sets <see cref="Exchange.ClientAddress"/>. Call it after the edge has read what it needs
    /// from Connection, Upgrade, Expect and the framing fields, and after <see cref="Exchange.Target"/> and <see cref="Exchange.Direction"/> are set.
    /// </summary>
    public static void CleanRequest(Exchange exchange, ListenerSettings settings)
    {
        var fields = exchange.RequestHeaders;
        DropNamedByConnection(fields);
        for (var i = fields.Count - 1; i >= 0; i--)
        {
            // Fields that start with "Tidegate-" say what the gateway knows: nobody else may.
            if (IsHopByHop(fields[i].Known) || Ascii.EqualsIgnoreCase(fields[i].Name[..Math.Min(9, fields[i].Name.Length)], "tidegate-"u8))
            {
                fields.RemoveAt(i);
            }
        }

        if (exchange.Direction == Direction.Ingress)
        {
            fields.Remove(KnownHeader.ProxyAuthorization);
            ForwardIngress(exchange, settings);
        }
        else
        {
            // A third party learns nothing of our network.
            RemoveForwarded(fields);
        }
    }

    private static void ForwardIngress(Exchange exchange, ListenerSettings settings)
    {
        var fields = exchange.RequestHeaders;
        var peer = exchange.Connection.PeerAddress;
        var chain = IsTrusted(peer, settings) ? fields.Get(KnownHeader.XForwardedFor) : null;
        var scheme = chain is null ? null : fields.Get(KnownHeader.XForwardedProto);
        RemoveForwarded(fields);
        exchange.ClientAddress = chain is null ? peer : ClientOf(chain, peer, settings);
        fields.Add(KnownHeader.XForwardedFor, chain is null ? exchange.Connection.PeerText : chain + ", " + exchange.Connection.PeerText);
        fields.Add(KnownHeader.XForwardedProto, scheme is "http" or "https" ? scheme : exchange.Connection.IsSecure ? "https" : "http");
        fields.Add(KnownHeader.XForwardedHost, exchange.Target.Authority);
    }

    /// <summary>From the right, the first address that is not one of our proxies: everything left of it can be made up.</summary>
    private static IPAddress ClientOf(string chain, IPAddress peer, ListenerSettings settings)
    {
        var client = peer;
        var rest = chain.AsSpan();
        for (var hop = 0; hop < MaxForwardedHops && !rest.IsEmpty; hop++)
        {
            var comma = rest.LastIndexOf(',');
            if (!IPAddress.TryParse(rest[(comma + 1)..].Trim(), out var address))
            {
                return client;
            }

            client = address;
            if (!IsTrusted(address, settings))
            {
                return client;
            }

            rest = comma < 0 ? default : rest[..comma];
        }

        return client;
    }

    private static bool IsTrusted(IPAddress address, ListenerSettings settings)
    {
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        foreach (var network in settings.TrustedProxies)
        {
            if (network.Contains(plain))
            {
                return true;
            }
        }

        return false;
    }

    private static void RemoveForwarded(HeaderList fields)
    {
        for (var i = fields.Count - 1; i >= 0; i--)
        {
            if (fields[i].Known is KnownHeader.Forwarded or KnownHeader.XForwardedFor or KnownHeader.XForwardedHost or KnownHeader.XForwardedPort or KnownHeader.XForwardedProto or KnownHeader.XRealIp)
            {
                fields.RemoveAt(i);
            }
        }
    }

    private static bool IsHopByHop(KnownHeader field) => field is
        KnownHeader.Connection or KnownHeader.KeepAlive or KnownHeader.ProxyConnection or KnownHeader.TransferEncoding or
        KnownHeader.Upgrade or KnownHeader.Http2Settings or KnownHeader.ProxyAuthenticate;

    private static void DropNamedByConnection(HeaderList fields)
    {
        if (!fields.TryGet(KnownHeader.Connection, out _))
        {
            return;
        }

        for (var i = fields.Count - 1; i >= 0; i--)
        {
            // Host and framing cannot be named away: the request would mean something else behind us.
            if (fields[i].Known is not (KnownHeader.Host or KnownHeader.ContentLength or KnownHeader.Connection or KnownHeader.TE) && Http1.HeadParser.Names(fields, fields[i].Name))
            {
                fields.RemoveAt(i);
            }
        }
    }
}
