using System.Net;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Forwarding.SocketsHttp;

/// <summary>Puts an upstream response's head onto the exchange, without what belongs to the upstream connection only.</summary>
internal static class UpstreamResponse
{
    public static void CopyHead(HttpResponseMessage response, Exchange exchange)
    {
        var named = response.Headers.NonValidated.TryGetValues("Connection", out var connection) ? connection.ToString() : null;
        Copy(response.Headers.NonValidated, named, response.Version.Major == 3, exchange.ResponseHeaders);
        Copy(response.Content.Headers.NonValidated, named, isHttp3: false, exchange.ResponseHeaders);
    }

    /// <summary>
    /// Whether two readers could see different ends of this answer (RFC 9112 6.3): several lengths, a length beside a coding, a length that is no
    /// plain number, any coding but one chunked. The handler below us lets all of them through.
    /// </summary>
    public static bool HasDoubtfulLength(HttpResponseMessage response)
    {
        if (response.Version.Major > 1)
        {
            return false;
        }

        var isCoded = response.Headers.NonValidated.TryGetValues("Transfer-Encoding", out var codings);
        var hasLength = response.Content.Headers.NonValidated.TryGetValues("Content-Length", out var lengths);
        return isCoded
            ? hasLength || response.Version.Minor == 0 || !codings.ToString().Equals("chunked", StringComparison.OrdinalIgnoreCase)
            : hasLength && (lengths.ToString() is "" || lengths.ToString().AsSpan().ContainsAnyExceptInRange('0', '9'));
    }

    /// <summary>Whether the head says of content that comes how long it is (RFC 9110 6.4.1).</summary>
    public static bool HasContent(HttpResponseMessage response, Exchange exchange) =>
        exchange.Method != "HEAD" && response.StatusCode is not (HttpStatusCode.NoContent or HttpStatusCode.NotModified);

    public static ProtocolVersion Protocol(Version version) => version.Major switch
    {
        3 => ProtocolVersion.Http3,
        2 => ProtocolVersion.Http2,
        _ => version.Minor == 0 ? ProtocolVersion.Http10 : ProtocolVersion.Http11,
    };

    private static void Copy(System.Net.Http.Headers.HttpHeadersNonValidated fields, string? namedByConnection, bool isHttp3, HeaderList into)
    {
        foreach (var field in fields)
        {
            // Of an HTTP/3 answer its value was not read (see UnreadEncoding), and it speaks of the upstream's ports.
            var isUnread = isHttp3 && field.Key.Equals("Alt-Svc", StringComparison.OrdinalIgnoreCase);
            if (isUnread || IsHopByHop(field.Key) || (namedByConnection is not null && Names(namedByConnection, field.Key)))
            {
                continue;
            }

            foreach (var value in field.Value)
            {
                into.Add(field.Key, value);
            }
        }
    }

    /// <summary>RFC 9110 7.6.1. Content-Length travels as the body's length.</summary>
    private static bool IsHopByHop(string name)
    {
        Span<byte> bytes = stackalloc byte[Math.Min(name.Length, 32)];
        return name.Length <= bytes.Length && Encoding.Latin1.GetBytes(name, bytes) > 0 && KnownHeaders.Identify(bytes) is
            KnownHeader.Connection or KnownHeader.KeepAlive or KnownHeader.ProxyConnection or KnownHeader.TransferEncoding or
            KnownHeader.Upgrade or KnownHeader.Http2Settings or KnownHeader.ContentLength;
    }

    private static bool Names(string connection, string name)
    {
        foreach (var part in connection.AsSpan().Split(','))
        {
            if (connection.AsSpan(part).Trim().Equals(name, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }
}
