using System.Text;

namespace Tidegate.Exchanges;

/// <summary>Between field names and <see cref="KnownHeader"/>: by length first, then without regard to case.</summary>
public static class KnownHeaders
{
    private static readonly string[] Names = BuildNames();
    private static readonly byte[][] NameBytes = [.. Names.Select(Encoding.ASCII.GetBytes)];
    private static readonly KnownHeader[][] ByLength = BuildByLength();

    /// <summary>The name as HTTP/1.1 writes it.</summary>
    public static string Name(KnownHeader header) => Names[(int)header];

    /// <summary>The name's bytes as HTTP/1.1 writes it.</summary>
    public static ReadOnlySpan<byte> Bytes(KnownHeader header) => NameBytes[(int)header];

    /// <summary>Which known field this is, or <see cref="KnownHeader.None"/>.</summary>
    public static KnownHeader Identify(ReadOnlySpan<byte> name)
    {
        if (name.Length >= ByLength.Length)
        {
            return KnownHeader.None;
        }

        foreach (var candidate in ByLength[name.Length])
        {
            // The first letter settles most comparisons; bit 0x20 is the case of an ASCII letter.
            var known = NameBytes[(int)candidate];
            if (((name[0] ^ known[0]) & ~0x20) == 0 && Ascii.EqualsIgnoreCase(name, known))
            {
                return candidate;
            }
        }

        return KnownHeader.None;
    }

    private static string[] BuildNames()
    {
        var values = Enum.GetValues<KnownHeader>();
        var names = new string[values.Length];
        foreach (var value in values)
        {
            names[(int)value] = value switch
            {
                KnownHeader.None => "",
                KnownHeader.ETag => "ETag",
                KnownHeader.TE => "TE",
                KnownHeader.Http2Settings => "HTTP2-Settings",
                KnownHeader.TraceParent => "traceparent",
                KnownHeader.TraceState => "tracestate",
                KnownHeader.WwwAuthenticate => "WWW-Authenticate",
                KnownHeader.XRealIp => "X-Real-IP",
                KnownHeader.XRequestId => "X-Request-ID",
                _ => Hyphenate(value.ToString()),
            };
        }

        return names;
    }

    private static string Hyphenate(string pascal)
    {
        var builder = new StringBuilder();
        foreach (var letter in pascal)
        {
            if (char.IsUpper(letter) && builder.Length > 0)
            {
                builder.Append('-');
            }

            builder.Append(letter);
        }

        return builder.ToString();
    }

    private static KnownHeader[][] BuildByLength()
    {
        var longest = Names.Max(name => name.Length);
        return [.. Enumerable.Range(0, longest + 1).Select(length =>
            Enum.GetValues<KnownHeader>().Where(header => header != KnownHeader.None && Names[(int)header].Length == length).ToArray())];
    }
}
