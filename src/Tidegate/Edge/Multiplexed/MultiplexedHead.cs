using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Tidegate.Edge.Http1;
using Tidegate.Exchanges;

namespace Tidegate.Edge.Multiplexed;

/// <summary>Reads a request head that Kestrel has decoded, and refuses what RFC 9113 8.2 and RFC 9114 4.2 call malformed and Kestrel lets through.</summary>
internal static class MultiplexedHead
{
    // Nearly all of them.
    private const int MaxTargetOnStack = 512;

    private static readonly Rejection ConnectionSpecific = new("edge", "field_connection_specific", 400, "A field that belongs to HTTP/1.1 connections must not be in an HTTP/2 or HTTP/3 request (RFC 9113 8.2.2, RFC 9114 4.2).");
    private static readonly Rejection MethodTooLong = new("edge", "method_too_long", 400, "The method is longer than 32 characters.");
    private static readonly Rejection HostMissing = new("edge", "host_malformed", 400, "The request names no host; send :authority (RFC 9113 8.3.1, RFC 9114 4.3.1).");
    private static readonly Rejection ProtocolUnknown = new("edge", "connect_protocol_unknown", 501, "The only protocol that an extended CONNECT can ask for here is websocket.");

    /// <summary>Puts method, target and fields onto the exchange.</summary>
    /// <param name="exchange">Has its method, connection and direction.</param>
    /// <param name="request">What Kestrel decoded.</param>
    /// <param name="connectProtocol"><c>:protocol</c> of an extended CONNECT (RFC 8441); null for all others.</param>
    /// <param name="settings">The listener's.</param>
    public static Rejection? Read(Exchange exchange, IHttpRequestFeature request, string? connectProtocol, ListenerSettings settings)
    {
        // As over HTTP/1.1. What is kept of the exchange has the beginning: a client chooses it, and thousands of records are in memory.
        if (exchange.Method.Length > HeadParser.MaxMethodLength)
        {
            exchange.Method = exchange.Method[..HeadParser.MaxMethodLength];
            return MethodTooLong;
        }

        if (CopyFields(request, exchange.RequestHeaders, settings.Limits) is { } malformed)
        {
            return malformed;
        }

        if (connectProtocol is not null)
        {
            if (connectProtocol != "websocket")
            {
                return ProtocolUnknown;
            }

            // RFC 8441 5: to everybody behind us this is the GET with Upgrade that HTTP/1.1 would have sent.
            exchange.Method = "GET";
            exchange.UpgradeProtocol = connectProtocol;

            // RFC 8441 has no nonce; RFC 6455 4.1 wants one of 16 bytes. Its answer proves nothing to us: the upstream spoke HTTP.
            Span<byte> nonce = stackalloc byte[16];
            RandomNumberGenerator.Fill(nonce);
            exchange.RequestHeaders.Set("Sec-WebSocket-Key", Convert.ToBase64String(nonce));
        }

        exchange.IsTunnel = exchange.Method == "CONNECT";
        if (exchange.IsTunnel && exchange.Direction == Direction.Ingress)
        {
            return Refusals.ConnectOnIngress;
        }

        if (request.RawTarget.Length > settings.Limits.MaxTargetBytes)
        {
            return Refusals.TargetTooLong;
        }

        exchange.RequestHeaders.TryGet(KnownHeader.Host, out var host);
        if (host.IsEmpty && !exchange.IsTunnel)
        {
            return HostMissing;
        }

        // At most what a target may have.
        Span<byte> raw = request.RawTarget.Length <= MaxTargetOnStack ? stackalloc byte[MaxTargetOnStack] : new byte[request.RawTarget.Length];
        var target = TargetCache.OfThread.Read(exchange, raw[..Encoding.Latin1.GetBytes(request.RawTarget, raw)], host);
        if (!target.IsTarget)
        {
            return target.Rejection;
        }

        exchange.Target = target.Target;
        HeaderHygiene.CleanRequest(exchange, settings);
        return null;
    }

    /// <summary>Copies fields as bytes; what is wrong with one, or null.</summary>
    public static Rejection? CopyFields(IHttpRequestFeature request, HeaderList into, EdgeLimits limits)
    {
        foreach (var (name, values) in request.Headers)
        {
            if (name.StartsWith(':'))
            {
                continue;
            }

            // RFC 9113 8.2.3, RFC 9114 4.2.1: cookie crumbs become one field again before anybody reads them.
            var isCrumbled = values.Count > 1 && name.Equals("cookie", StringComparison.OrdinalIgnoreCase);
            for (var i = 0; i < (isCrumbled ? 1 : values.Count); i++)
            {
                if (into.Count == limits.MaxHeaderCount)
                {
                    return Refusals.TooManyFields;
                }

                if (Add(into, name, isCrumbled ? string.Join("; ", values.ToArray()) : values[i] ?? "") is { } malformed)
                {
                    return malformed;
                }
            }
        }

        return null;
    }

    /// <summary>Adds one field that fits RFC 9113 8.2.1 and 8.2.2, which RFC 9114 4.2 and 10.3 repeat.</summary>
    public static Rejection? Add(HeaderList into, string name, string value)
    {
        if (!HeadParser.IsToken(name))
        {
            return Refusals.BadFieldName;
        }

        foreach (var character in value)
        {
            // What is no field content by RFC 9110 5.5: CR, LF and NUL by both, the other controls by RFC 9114 10.3.
            if (character is (< ' ' and not '\t') or '\x7F' or > '\xFF')
            {
                return Refusals.BadFieldValue;
            }
        }

        if (value is [' ' or '\t', ..] or [.., ' ' or '\t'])
        {
            return Refusals.BadFieldValue;
        }

        into.Add(name, value);
        var added = into[into.Count - 1];
        return added.Known is KnownHeader.Connection or KnownHeader.KeepAlive or KnownHeader.ProxyConnection or KnownHeader.TransferEncoding or KnownHeader.Upgrade || (added.Known == KnownHeader.TE && value != "trailers")
            ? ConnectionSpecific
            : null;
    }
}
