namespace Tidegate.Exchanges;

/// <summary>
/// Where a request is going, parsed once and strictly. Routing, access, cache, limits and the upstream request all use this
/// one value, so what is matched is what is sent. The rules are in docs/reference/targets.md.
/// </summary>
/// <param name="Scheme"><c>http</c> or <c>https</c>, lower case.</param>
/// <param name="Host">Lower case, IDN in its A-label form, IPv6 without brackets, no trailing dot.</param>
/// <param name="Port">1 to 65535; the scheme's own port when none was written.</param>
/// <param name="Path">Starts with <c>/</c>; dot segments removed, unreserved characters decoded, other escapes in upper case. <c>*</c> for <c>OPTIONS *</c>; empty for CONNECT.</param>
/// <param name="Query">Without <c>?</c>, byte for byte as the client wrote it; null when there was no <c>?</c>.</param>
public sealed record ExchangeTarget(string Scheme, string Host, int Port, string Path, string? Query)
{
    /// <summary>Whether the target asks for TLS.</summary>
    public bool IsSecure => Scheme.Length == 5;

    /// <summary>Host and, unless it is the scheme's own, port: what belongs into the <c>Host</c> field.</summary>
    public string Authority { get; } = FormatAuthority(Scheme, Host, Port);

    /// <summary>Path and query as they are sent upstream.</summary>
    public string PathAndQuery { get; } = Query is null ? Path : Path + "?" + Query;

    /// <summary>Where it was routed, for the next request with the same target. No part of what a target is.</summary>
    internal TargetMemory Routed;

    /// <summary>Under which key its answers are kept. What is found here says itself whose it is, because a copy of a target brings it along.</summary>
    internal TargetMemory Keyed;

    /// <inheritdoc/>
    public override string ToString() => $"{Scheme}://{Authority}{PathAndQuery}";

    private static string FormatAuthority(string scheme, string host, int port)
    {
        var name = host.Contains(':') ? "[" + host + "]" : host;
        var isDefaultPort = port == (scheme.Length == 5 ? 443 : 80);
        return isDefaultPort ? name : $"{name}:{port}";
    }
}
