using System.Buffers;
using Tidegate.Exchanges;

namespace Tidegate.Forwarding.Http1;

/// <summary>What field lines may be made of, and which fields end with the connection.</summary>
internal static class FieldSyntax
{
    private static readonly SearchValues<byte> TokenBytes = SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"u8);

    // Field values: anything but controls; HTAB is allowed (RFC 9110 5.5).
    private static readonly SearchValues<byte> ForbiddenInValues = SearchValues.Create([.. Enumerable.Range(0, 32).Where(value => value != '\t').Select(value => (byte)value), 127]);

    private static readonly SearchValues<byte> LineBreaks = SearchValues.Create("\r\n\0"u8);

    // Framing and hop-by-hop fields (RFC 9110 7.6.1), one bit for each.
    private const ulong OfTheConnection =
        (1UL << (int)KnownHeader.Connection) | (1UL << (int)KnownHeader.KeepAlive) | (1UL << (int)KnownHeader.ProxyConnection) | (1UL << (int)KnownHeader.TransferEncoding) |
        (1UL << (int)KnownHeader.Upgrade) | (1UL << (int)KnownHeader.Http2Settings) | (1UL << (int)KnownHeader.ContentLength);

    /// <summary>Whether a field says something about this connection or message's framing only.</summary>
    public static bool IsOfTheConnection(KnownHeader field) => ((OfTheConnection >> (int)field) & 1) != 0;

    /// <summary>Whether text would begin a line of its own.</summary>
    public static bool HasLineBreak(ReadOnlySpan<byte> text) => text.ContainsAny(LineBreaks);

    /// <summary>Whether a value has a control character in it.</summary>
    public static bool HasControl(ReadOnlySpan<byte> text) => text.ContainsAny(ForbiddenInValues);

    /// <summary>Splits one line. False when it is no field: a folded line, white space before the colon, a control character.</summary>
    public static bool TrySplit(ReadOnlySpan<byte> line, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        var colon = line.IndexOf((byte)':');
        name = colon > 0 ? line[..colon] : default;
        value = line[(colon + 1)..];
        if (value is [(byte)' ', not ((byte)' ' or (byte)'\t'), ..] && value[^1] is not ((byte)' ' or (byte)'\t'))
        {
            // As nearly all are written: one space before, none after.
            value = value[1..];
        }
        else
        {
            value = value.Trim(" \t"u8);
        }

        return colon > 0 && !name.ContainsAnyExcept(TokenBytes) && !value.ContainsAny(ForbiddenInValues);
    }
}
