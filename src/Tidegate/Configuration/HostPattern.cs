using System.Globalization;
using System.Net;
using System.Text;
using Tidegate.Edge;

namespace Tidegate.Configuration;

/// <summary>A host as an API lists it, brought into the form that requests' hosts have, by the same rules: what can be sent can be listed, underscores included.</summary>
internal static class HostPattern
{
    // Which characters a name may have is for CanonicalHost to say; this only turns international labels into their xn-- form.
    private static readonly IdnMapping Idn = new() { UseStd3AsciiRules = false };

    /// <summary>The canonical form: lower case, A-labels, no final dot, an IPv6 address without brackets, a wildcard as <c>*.example.com</c>.</summary>
    public static bool TryCanonical(string text, out string canonical)
    {
        canonical = "";
        var isWildcard = text.StartsWith("*.", StringComparison.Ordinal);
        if (TryAuthority(isWildcard ? text[2..] : text) is not { } authority || CanonicalHost.Parse(authority, defaultPort: 0, out var host, out var port) is not null || port != 0)
        {
            return false;
        }

        // An address has no names below it.
        canonical = isWildcard ? "*." + host : host;
        return !isWildcard || !IPAddress.TryParse(host, out _);
    }

    private static byte[]? TryAuthority(string text)
    {
        if (text.Contains(':', StringComparison.Ordinal))
        {
            // A name with a port would pass as an authority: only an IPv6 address has colons.
            return IPAddress.TryParse(text, out var address) && !text.StartsWith('[') ? Encoding.Latin1.GetBytes($"[{address}]") : text.StartsWith('[') && text.EndsWith(']') ? Encoding.Latin1.GetBytes(text) : null;
        }

        try
        {
            return Encoding.ASCII.GetBytes(Idn.GetAscii((text.EndsWith('.') ? text[..^1] : text).ToLowerInvariant()));
        }
        catch (ArgumentException)
        {
            // IdnMapping has no Try form: a name that it refuses is the caller's problem to report.
            return null;
        }
    }
}
