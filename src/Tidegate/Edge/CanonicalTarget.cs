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
    public static TargetResult ParseAbsolute(ReadOnlySpan<byte> target, bool isIngress = false, bool isOptions = false) =>
        throw new NotSupportedException($"{target.Length}{isIngress}{isOptions}");

    /// <summary>Origin-form and, for OPTIONS, asterisk-form (RFC 9112 3.2.1 and 3.2.4).</summary>
    /// <param name="pathAndQuery">For example <c>/a?b</c>.</param>
    /// <param name="scheme"><c>http</c> or <c>https</c>, after how the client reached us.</param>
    /// <param name="host">The value of <c>Host</c> or <c>:authority</c>; empty for base-URL calls, whose target then has an empty host.</param>
    /// <param name="isIngress">Runs of slashes are merged.</param>
    /// <param name="isOptions">The method is OPTIONS, so <c>*</c> is a target.</param>
    public static TargetResult ParseOrigin(ReadOnlySpan<byte> pathAndQuery, string scheme, ReadOnlySpan<byte> host, bool isIngress, bool isOptions = false) =>
        throw new NotSupportedException($"{pathAndQuery.Length}{scheme}{host.Length}{isIngress}{isOptions}");

    /// <summary>Origin-form inside an intercepted tunnel: goes where the CONNECT said. A <c>Host</c> that names another authority is refused with 421.</summary>
    /// <param name="pathAndQuery">For example <c>/a?b</c>.</param>
    /// <param name="host">The value of <c>Host</c> or <c>:authority</c>; empty when the client sent none.</param>
    /// <param name="tunnel">The target of the CONNECT.</param>
    /// <param name="isOptions">The method is OPTIONS, so <c>*</c> is a target.</param>
    public static TargetResult ParseInTunnel(ReadOnlySpan<byte> pathAndQuery, ReadOnlySpan<byte> host, ExchangeTarget tunnel, bool isOptions = false) =>
        throw new NotSupportedException($"{pathAndQuery.Length}{host.Length}{tunnel}{isOptions}");

    /// <summary>Authority-form (RFC 9112 3.2.3): the target of a CONNECT. The port must be written. The scheme is <c>https</c>, the path empty.</summary>
    public static TargetResult ParseAuthority(ReadOnlySpan<byte> authority) => throw new NotSupportedException($"{authority.Length}");

    /// <summary>Whether a canonical path holds <c>%2F</c>, which ingress passes only where <see cref="RoutePlan.AllowEncodedSlash"/> says so.</summary>
    public static bool HasEncodedSlash(string path) => path.Contains("%2F", StringComparison.Ordinal);
}
