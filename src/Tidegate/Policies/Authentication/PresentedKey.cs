using System.Buffers;
using System.Buffers.Text;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Authentication;

/// <summary>Reads API keys out of <c>Authorization</c> and <c>Proxy-Authorization</c> values (RFC 9110 11.6.2, RFC 7617, RFC 6750).</summary>
internal static class PresentedKey
{
    // Keys have some 20 to 100 bytes; a longer value is no key of ours and need not be decoded.
    private const int LongestBasic = 1024;

    /// <summary>The consumer that a Basic or Bearer value names.</summary>
    public static Consumer? FindByScheme(CredentialIndex credentials, ReadOnlySpan<byte> value)
    {
        if (TryStrip(value, "Bearer "u8, out var bearer))
        {
            return credentials.Find(bearer);
        }

        return TryStrip(value, "Basic "u8, out var basic) ? FindByBasic(credentials, basic) : null;
    }

    /// <summary>The key after <c>Bearer</c>.</summary>
    public static bool TryReadBearer(ReadOnlySpan<byte> value, out ReadOnlySpan<byte> key) => TryStrip(value, "Bearer "u8, out key);

    // The password is the key, whatever the user; clients that can only give a user (http://KEY@gate:8080) give the key as user.
    private static Consumer? FindByBasic(CredentialIndex credentials, ReadOnlySpan<byte> encoded)
    {
        Span<byte> decoded = stackalloc byte[LongestBasic];
        if (encoded.Length > LongestBasic || Base64.DecodeFromUtf8(encoded, decoded, out _, out var length) != OperationStatus.Done)
        {
            return null;
        }

        decoded = decoded[..length];
        var colon = decoded.IndexOf((byte)':');
        return colon < 0
            ? credentials.Find(decoded)
            : credentials.Find(decoded[(colon + 1)..]) ?? credentials.Find(decoded[..colon]);
    }

    private static bool TryStrip(ReadOnlySpan<byte> value, ReadOnlySpan<byte> scheme, out ReadOnlySpan<byte> rest)
    {
        var fits = value.Length > scheme.Length && Ascii.EqualsIgnoreCase(value[..scheme.Length], scheme);
        rest = fits ? value[scheme.Length..].Trim((byte)' ') : default;
        return fits;
    }
}
