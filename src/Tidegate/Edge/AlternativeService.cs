using System.Globalization;
using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>Tells clients that came over TCP where HTTP/3 is: the <c>Alt-Svc</c> field (RFC 7838).</summary>
internal static class AlternativeService
{
    // One hour. A client that comes back within it goes straight to HTTP/3; after HTTP/3 is turned off, nobody tries it for longer.
    private const int MaxAgeSeconds = 60 * 60;

    /// <summary>The field's value for HTTP/3 on a UDP port of the same host.</summary>
    public static string Http3On(int port) => string.Create(CultureInfo.InvariantCulture, $"h3=\":{port}\"; ma={MaxAgeSeconds}");

    /// <summary>
    /// Puts ours onto an ingress answer. The upstream's goes in any case: it speaks of the upstream's ports, which are not where the client is. A third
    /// party's answer stays as it is.
    /// </summary>
    public static void Apply(Exchange exchange, HeaderList fields)
    {
        if (exchange.Direction != Direction.Ingress)
        {
            return;
        }

        fields.Remove(KnownHeader.AltSvc);
        if (exchange.Connection.AlternativeService is { } value)
        {
            fields.Add(KnownHeader.AltSvc, value);
        }
    }
}
