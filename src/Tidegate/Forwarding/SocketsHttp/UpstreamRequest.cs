using System.Net;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Forwarding.SocketsHttp;

/// <summary>Makes the upstream request from an exchange: every end-to-end field, the canonical target, framing left to the handler.</summary>
internal static class UpstreamRequest
{
    private static readonly UriCreationOptions AsIs = new() { DangerousDisablePathAndQueryCanonicalization = true };

    /// <param name="exchange">Whose request.</param>
    /// <param name="upstream">How it is sent.</param>
    /// <param name="destination">Where to.</param>
    /// <param name="content">Null for none.</param>
    /// <param name="address">One of the destination's addresses, when the handler is not to look for one itself.</param>
    public static HttpRequestMessage Create(Exchange exchange, Upstream upstream, Destination destination, RequestContent? content, IPAddress? address = null)
    {
        var connectTo = address is null ? destination : destination with { Host = address.ToString() };
        var request = new HttpRequestMessage(HttpMethod.Parse(exchange.Method), new Uri(connectTo + exchange.Target.PathAndQuery, AsIs)) { Content = content };
        ChooseVersion(request, exchange, upstream, destination);

        var headers = exchange.RequestHeaders;
        for (var i = 0; i < headers.Count; i++)
        {
            var field = headers[i];
            switch (field.Known)
            {
                // Host is set below; framing is the handler's; Expect was answered, or will be, by our own edge.
                case KnownHeader.Host or KnownHeader.ContentLength or KnownHeader.TransferEncoding or KnownHeader.Expect:
                    continue;
                // The only value that survives a hop (RFC 9110 10.1.4); gRPC servers insist on it.
                case KnownHeader.TE when !field.Value.SequenceEqual("trailers"u8):
                    continue;
                default:
                    Add(request, field);
                    continue;
            }
        }

        request.Headers.Host = upstream.RewriteHost ? new ExchangeTarget(destination.Scheme, destination.Host, destination.Port, "/", null).Authority : exchange.Target.Authority;
        if (exchange.UpgradeProtocol is { } protocol)
        {
            request.Headers.TryAddWithoutValidation("Connection", "Upgrade");
            request.Headers.TryAddWithoutValidation("Upgrade", protocol);
        }

        return request;
    }

    private static void Add(HttpRequestMessage request, HeaderField field)
    {
        var name = field.Known == KnownHeader.None ? Encoding.Latin1.GetString(field.Name) : KnownHeaders.Name(field.Known);
        var value = Encoding.Latin1.GetString(field.Value);
        if (!request.Headers.TryAddWithoutValidation(name, value))
        {
            // A content field. On a request without content it still goes out, with an empty content to carry it.
            (request.Content ??= new ByteArrayContent([])).Headers.TryAddWithoutValidation(name, value);
        }
    }

    private static void ChooseVersion(HttpRequestMessage request, Exchange exchange, Upstream upstream, Destination destination)
    {
        var wanted = upstream.Protocol switch
        {
            UpstreamProtocol.Http1 => HttpVersion.Version11,
            UpstreamProtocol.Http2 => HttpVersion.Version20,
            UpstreamProtocol.Http3 => HttpVersion.Version30,
            _ => destination.Scheme == "https" || IsGrpc(exchange) ? HttpVersion.Version20 : HttpVersion.Version11,
        };

        // An upgrade is HTTP/1.1 by nature (RFC 9113 8.6).
        request.Version = exchange.UpgradeProtocol is null ? wanted : HttpVersion.Version11;
        request.VersionPolicy = request.Version == HttpVersion.Version20 && destination.Scheme == "https" && upstream.Protocol == UpstreamProtocol.Auto
            ? HttpVersionPolicy.RequestVersionOrLower
            : HttpVersionPolicy.RequestVersionExact;
    }

    /// <summary>gRPC is HTTP/2 always.</summary>
    public static bool IsGrpc(Exchange exchange) =>
        exchange.RequestHeaders.TryGet(KnownHeader.ContentType, out var type) && type.StartsWith("application/grpc"u8);
}
