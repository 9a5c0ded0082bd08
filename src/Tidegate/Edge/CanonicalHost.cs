using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>Host and port of a target in their one form: lower case, no trailing dot, IPv6 without brackets, the scheme's port when none is written.</summary>
internal static class CanonicalHost
{
    // RFC 1035 2.3.4: what DNS can carry. Longer names resolve nowhere.
    private const int LongestName = 253;
    private const int LongestLabel = 63;

    // Letters, digits, hyphen; underscore because service names in container networks have it.
    private static readonly SearchValues<byte> NameBytes = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."u8);
    private static readonly SearchValues<byte> AddressBytes = SearchValues.Create("abcdefABCDEF0123456789:."u8);

    /// <summary>Parses <c>host</c> or <c>host:port</c>; null when it is well-formed.</summary>
    public static Rejection? Parse(ReadOnlySpan<byte> authority, int defaultPort, out string host, out int port)
    {
        host = "";
        port = defaultPort;
        if (authority.Contains((byte)'@'))
        {
            return TargetRejections.Userinfo;
        }

        ReadOnlySpan<byte> rest;
        if (authority.StartsWith("["u8))
        {
            var end = authority.IndexOf((byte)']');
            if (end < 0 || ParseAddress(authority[1..end]) is not { } address)
            {
                return TargetRejections.Host;
            }

            host = address;
            rest = authority[(end + 1)..];
        }
        else
        {
            var colon = authority.IndexOf((byte)':');
            var name = colon < 0 ? authority : authority[..colon];
            rest = colon < 0 ? default : authority[colon..];
            if (ParseName(name) is not { } known)
            {
                return TargetRejections.Host;
            }

            host = known;
        }

        return rest.IsEmpty || TryParsePort(rest, ref port) ? null : rest[0] == ':' ? TargetRejections.Port : TargetRejections.Host;
    }

    // RFC 3986 3.2.3 allows an empty port, which means the default. Leading zeros are refused: parsers disagree whether they are octal.
    private static bool TryParsePort(ReadOnlySpan<byte> text, ref int port)
    {
        if (text[0] != ':' || text.Length > 6)
        {
            return false;
        }

        if (text.Length == 1)
        {
            return port > 0;
        }

        var number = 0;
        foreach (var digit in text[1..])
        {
            if (!char.IsAsciiDigit((char)digit))
            {
                return false;
            }

            number = (number * 10) + (digit - '0');
        }

        port = number;
        return text[1] != '0' && number <= 65535;
    }

    private static string? ParseAddress(ReadOnlySpan<byte> text)
    {
        // The longest form is 45 bytes. Zone ids (RFC 6874) name an interface of the sender's and mean nothing here.
        Span<char> chars = stackalloc char[45];
        if (text.Length > chars.Length || text.ContainsAnyExcept(AddressBytes))
        {
            return null;
        }

        var length = Encoding.ASCII.GetChars(text, chars);
        return IPAddress.TryParse(chars[..length], out var address) && address.AddressFamily == AddressFamily.InterNetworkV6 ? address.ToString() : null;
    }

    private static string? ParseName(ReadOnlySpan<byte> name)
    {
        if (name.EndsWith("."u8))
        {
            name = name[..^1];
        }

        if (name.IsEmpty || name.Length > LongestName || name.ContainsAnyExcept(NameBytes))
        {
            return null;
        }

        var lastLabel = name;
        for (var rest = name; ;)
        {
            var dot = rest.IndexOf((byte)'.');
            var label = dot < 0 ? rest : rest[..dot];
            if (label.IsEmpty || label.Length > LongestLabel)
            {
                return null;
            }

            if (dot < 0)
            {
                lastLabel = label;
                break;
            }

            rest = rest[(dot + 1)..];
        }

        // A name that ends in a number is an IPv4 address to most resolvers, also as 0x7f.1 or 2130706433. Only four plain decimals are one here.
        if (EndsInNumber(lastLabel) && !IsDottedDecimal(name))
        {
            return null;
        }

        return string.Create(name.Length, name, static (chars, source) =>
        {
            // Cannot fail: the bytes were checked and the lengths are equal.
            _ = Ascii.ToLower(source, chars, out _);
        });
    }

    private static bool EndsInNumber(ReadOnlySpan<byte> label) =>
        !label.ContainsAnyExceptInRange((byte)'0', (byte)'9')
        || (label.Length >= 2 && label[0] == '0' && (label[1] | 0x20) == 'x' && IsHex(label[2..]));

    private static bool IsHex(ReadOnlySpan<byte> text)
    {
        foreach (var digit in text)
        {
            if (!char.IsAsciiHexDigit((char)digit))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsDottedDecimal(ReadOnlySpan<byte> name)
    {
        var parts = 0;
        foreach (var range in name.Split((byte)'.'))
        {
            var part = name[range];
            if (++parts > 4 || part.Length > 3 || part.ContainsAnyExceptInRange((byte)'0', (byte)'9') || (part.Length > 1 && part[0] == '0'))
            {
                return false;
            }

            var number = 0;
            foreach (var digit in part)
            {
                number = (number * 10) + (digit - '0');
            }

            if (number > 255)
            {
                return false;
            }
        }

        return parts == 4;
    }
}
