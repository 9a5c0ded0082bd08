using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>
/// What of a client's request fields may go further. First everything that <c>Connection</c> names, then hop-by-hop, framing, forwarded and
/// identity fields; ours are added last, so that no client can name them away. Used for every protocol.
/// </summary>
internal static class HeaderHygiene
{
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
            if (IsHopByHop(fields[i].Known) || IsOurs(fields[i].Name) || IsDouble(fields[i].Name))
            {
                fields.RemoveAt(i);
            }
        }

        if (exchange.Direction == Direction.Ingress)
        {
            fields.Remove(KnownHeader.ProxyAuthorization);
            ForwardedFields.Rewrite(exchange, settings.TrustedProxies);
        }
        else
        {
            // A third party learns nothing of our network.
            ForwardedFields.Remove(fields);
        }
    }

    private static bool IsHopByHop(KnownHeader field) => field is
        KnownHeader.Connection or KnownHeader.KeepAlive or KnownHeader.ProxyConnection or KnownHeader.TransferEncoding or
        KnownHeader.Upgrade or KnownHeader.Http2Settings or KnownHeader.ProxyAuthenticate;

    private static bool IsOurs(ReadOnlySpan<byte> name) => name.Length >= 9 && Ascii.EqualsIgnoreCase(name[..9], "tidegate-"u8);

    /// <summary>
    /// Whether a name is a known one, or one of ours, but for underscores. CGI and its heirs (RFC 3875 4.1.18) cannot tell the two apart: to them
    /// X_Forwarded_For would be what we say of the client, and Content_Length where the content ends.
    /// </summary>
    private static bool IsDouble(ReadOnlySpan<byte> name)
    {
        Span<byte> hyphened = stackalloc byte[32];
        if (!name.Contains((byte)'_'))
        {
            return false;
        }

        hyphened = hyphened[..Math.Min(name.Length, hyphened.Length)];
        name[..hyphened.Length].Replace(hyphened, (byte)'_', (byte)'-');
        return IsOurs(hyphened) || (hyphened.Length == name.Length && KnownHeaders.Identify(hyphened) != KnownHeader.None);
    }

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
