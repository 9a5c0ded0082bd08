using System.Buffers.Text;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Authentication;

/// <summary>Where an API key stands in a request: Bearer or Basic in a credentials field (RFC 9110 11.4), or bare in a field of its own.</summary>
internal static class PresentedKey
{
    /// <summary>The key in a credentials field. In Basic the password is the key, or the user when the password is empty, as <c>curl -x http://KEY@gate</c> sends it.</summary>
    /// <param name="credentials">The field's value.</param>
    /// <param name="scratch">Room for the decoded form, at least as long as the value.</param>
    public static ReadOnlySpan<byte> OfCredentials(ReadOnlySpan<byte> credentials, Span<byte> scratch)
    {
        if (HasScheme(credentials, "Bearer "u8))
        {
            return credentials["Bearer ".Length..].Trim((byte)' ');
        }

        if (!HasScheme(credentials, "Basic "u8))
        {
            return default;
        }

        var encoded = credentials["Basic ".Length..].Trim((byte)' ');
        if (Base64.DecodeFromUtf8(encoded, scratch, out _, out var length) != System.Buffers.OperationStatus.Done)
        {
            return default;
        }

        ReadOnlySpan<byte> userAndPassword = scratch[..length];
        var colon = userAndPassword.IndexOf((byte)':');
        return colon < 0 ? userAndPassword : colon == userAndPassword.Length - 1 ? userAndPassword[..colon] : userAndPassword[(colon + 1)..];
    }

    private static bool HasScheme(ReadOnlySpan<byte> credentials, ReadOnlySpan<byte> scheme) =>
        credentials.Length > scheme.Length && Ascii.EqualsIgnoreCase(credentials[..scheme.Length], scheme);

    /// <summary>Whether the request came through the proxy, where keys travel in <c>Proxy-Authorization</c> so that the API's own fields stay free.</summary>
    public static bool TravelsInProxyField(Exchange exchange) => exchange.Direction == Direction.Egress && exchange.BasePath is null;
}
