using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>Reads a request's target for where it came in: the four forms of HTTP/1.1 (RFC 9112 3.2), and <c>:path</c> with <c>:authority</c> of HTTP/2 and HTTP/3.</summary>
internal static class RequestTarget
{
    private static readonly Rejection HostConflict = Http1.Refusals.HostConflict;

    /// <summary>The canonical target, or why there is none. Sets <see cref="Exchange.BaseOrigin"/> for a base-URL call.</summary>
    /// <param name="exchange">Has its method, connection and direction.</param>
    /// <param name="target">As sent; never empty.</param>
    /// <param name="host">The value of <c>Host</c> or <c>:authority</c>; empty when there is none.</param>
    public static TargetResult Read(Exchange exchange, ReadOnlySpan<byte> target, ReadOnlySpan<byte> host)
    {
        var isIngress = exchange.Direction == Direction.Ingress;
        var isOptions = exchange.Method == "OPTIONS";
        var scheme = exchange.Connection.IsSecure ? "https" : "http";
        if (exchange.IsTunnel)
        {
            return CanonicalTarget.ParseAuthority(target);
        }

        if (exchange.Connection.TunnelTarget is { } tunnel)
        {
            return CanonicalTarget.ParseInTunnel(target, host, tunnel, isOptions);
        }

        if (target[0] is not ((byte)'/' or (byte)'*'))
        {
            var absolute = CanonicalTarget.ParseAbsolute(target, isIngress, isOptions);
            return absolute.IsTarget && !host.IsEmpty && !IsSame(absolute.Target, host, isIngress) ? HostConflict : absolute;
        }

        if (isIngress)
        {
            return CanonicalTarget.ParseOrigin(target, scheme, host, isIngress: true, isOptions);
        }

        // A base-URL call: the API's base path on our own address. Links in the answer lead back to the address that the client used.
        exchange.BaseOrigin = scheme + "://" + Encoding.Latin1.GetString(host);
        return CanonicalTarget.ParseOrigin(target, scheme, default, isIngress: false, isOptions);
    }

    private static bool IsSame(ExchangeTarget target, ReadOnlySpan<byte> host, bool isIngress)
    {
        var named = CanonicalTarget.ParseOrigin("/"u8, target.Scheme, host, isIngress);
        return named.IsTarget && named.Target.Host == target.Host && named.Target.Port == target.Port;
    }
}
