using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>
/// Turns the bytes of a request target into the one value that every stage uses. What cannot be brought into one form that all
/// parties read alike is refused. The rules are in docs/reference/targets.md. Never throws, whatever the bytes.
/// </summary>
internal static class CanonicalTarget
{
    /// <summary>Absolute-form (RFC 9112 3.2.2): what an HTTP proxy gets, and what an origin server must accept.</summary>
    /// <param name="target">For example <c>http://example.com/a?b</c>.</param>
    /// <param name="isIngress">Runs of slashes are merged.</param>
    /// <param name="isOptions">The method is OPTIONS: without path and query the target is the server itself, <c>*</c> (RFC 9112 3.2.4).</param>
    public static TargetResult ParseAbsolute(ReadOnlySpan<byte> target, bool isIngress = false, bool isOptions = false)
    {
        var separator = target.IndexOf("://"u8);
        if (separator <= 0)
        {
            return TargetRejections.Form;
        }

        var isSecure = Ascii.EqualsIgnoreCase(target[..separator], "https"u8);
        if (!isSecure && !Ascii.EqualsIgnoreCase(target[..separator], "http"u8))
        {
            return TargetRejections.Scheme;
        }

        var rest = target[(separator + 3)..];
        var end = rest.IndexOfAny("/?#\\"u8);
        var authority = end < 0 ? rest : rest[..end];
        if (CanonicalHost.Parse(authority, isSecure ? 443 : 80, out var host, out var port) is { } rejection)
        {
            return rejection;
        }

        return ParsePathAndQuery(end < 0 ? default : rest[end..], new Authority(isSecure ? "https" : "http", host, port), isIngress, isOptions);
    }

    /// <summary>Origin-form and, for OPTIONS, asterisk-form (RFC 9112 3.2.1 and 3.2.4).</summary>
    /// <param name="pathAndQuery">For example <c>/a?b</c>.</param>
    /// <param name="scheme"><c>http</c> or <c>https</c>, after how the client reached us.</param>
    /// <param name="host">The value of <c>Host</c> or <c>:authority</c>; empty for base-URL calls, whose target then has an empty host.</param>
    /// <param name="isIngress">Runs of slashes are merged.</param>
    /// <param name="isOptions">The method is OPTIONS, so <c>*</c> is a target.</param>
    public static TargetResult ParseOrigin(ReadOnlySpan<byte> pathAndQuery, string scheme, ReadOnlySpan<byte> host, bool isIngress, bool isOptions = false)
    {
        var name = "";
        var port = scheme.Length == 5 ? 443 : 80;
        if (!host.IsEmpty && CanonicalHost.Parse(host, port, out name, out port) is { } rejection)
        {
            return rejection;
        }

        return pathAndQuery.IsEmpty || pathAndQuery[0] == '?' ? TargetRejections.Form : ParsePathAndQuery(pathAndQuery, new Authority(scheme, name, port), isIngress, isOptions);
    }

    /// <summary>Origin-form inside an intercepted tunnel: goes where the CONNECT said. A <c>Host</c> that names another authority is refused with 421.</summary>
    /// <param name="pathAndQuery">For example <c>/a?b</c>.</param>
    /// <param name="host">The value of <c>Host</c> or <c>:authority</c>; empty when the client sent none.</param>
    /// <param name="tunnel">The target of the CONNECT.</param>
    /// <param name="isOptions">The method is OPTIONS, so <c>*</c> is a target.</param>
    public static TargetResult ParseInTunnel(ReadOnlySpan<byte> pathAndQuery, ReadOnlySpan<byte> host, ExchangeTarget tunnel, bool isOptions = false)
    {
        if (!host.IsEmpty)
        {
            if (CanonicalHost.Parse(host, tunnel.IsSecure ? 443 : 80, out var name, out var port) is { } rejection)
            {
                return rejection;
            }

            // A Host without port means the tunnel's port here: clients inside a tunnel to 8443 leave it out or write it.
            if (name != tunnel.Host || (port != tunnel.Port && host.IndexOf((byte)':') >= 0 && !host.EndsWith("]"u8)))
            {
                return TargetRejections.Misdirected;
            }
        }

        return pathAndQuery.IsEmpty || pathAndQuery[0] == '?' ? TargetRejections.Form : ParsePathAndQuery(pathAndQuery, new Authority(tunnel.Scheme, tunnel.Host, tunnel.Port), isIngress: false, isOptions);
    }

    /// <summary>Authority-form (RFC 9112 3.2.3): the target of a CONNECT. The port must be written. The scheme is <c>https</c>, the path empty.</summary>
    public static TargetResult ParseAuthority(ReadOnlySpan<byte> authority) =>
        CanonicalHost.Parse(authority, defaultPort: 0, out var host, out var port) is { } rejection ? rejection
            : port == 0 ? TargetRejections.Port
            : new ExchangeTarget("https", host, port, "", null);

    /// <summary>Whether a canonical path holds <c>%2F</c>, which ingress passes only where <see cref="RoutePlan.AllowEncodedSlash"/> says so.</summary>
    public static bool HasEncodedSlash(string path) => path.Contains("%2F", StringComparison.Ordinal);

    private static TargetResult ParsePathAndQuery(ReadOnlySpan<byte> raw, Authority authority, bool isIngress, bool isOptions)
    {
        var mark = raw.IndexOf((byte)'?');
        var rawPath = mark < 0 ? raw : raw[..mark];
        string? query = null;
        if (mark >= 0)
        {
            var rawQuery = raw[(mark + 1)..];
            if (rawQuery.ContainsAnyExceptInRange((byte)0x21, (byte)0x7E) || rawQuery.Contains((byte)'#'))
            {
                return TargetRejections.Query;
            }

            query = Encoding.ASCII.GetString(rawQuery);
        }

        // Absolute-form may leave the path out (RFC 9112 3.2.1 and 3.2.4); origin-form never gets here empty before the query.
        if (rawPath.IsEmpty)
        {
            return new ExchangeTarget(authority.Scheme, authority.Host, authority.Port, isOptions && query is null ? "*" : "/", query);
        }

        if (isOptions && mark < 0 && rawPath.SequenceEqual("*"u8))
        {
            return new ExchangeTarget(authority.Scheme, authority.Host, authority.Port, "*", null);
        }

        return CanonicalPath.Parse(rawPath, mergeSlashes: isIngress, out var path) is { } rejection
            ? rejection
            : new ExchangeTarget(authority.Scheme, authority.Host, authority.Port, path, query);
    }

    private readonly record struct Authority(string Scheme, string Host, int Port);
}
