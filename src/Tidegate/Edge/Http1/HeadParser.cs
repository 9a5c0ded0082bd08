using System.Buffers;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Edge.Http1;

/// <summary>The request line, and how the content is framed.</summary>
internal struct RequestHead
{
    public string Method;
    public int TargetStart;
    public int TargetLength;
    public ProtocolVersion Version;

    /// <summary>Bytes, 0 without content, -1 for chunked.</summary>
    public long ContentLength;

    public bool KeepAlive;
    public bool ExpectsContinue;
}

/// <summary>
/// Parses a complete request head, strictly: whatever two implementations could read differently is refused, because that is what
/// request smuggling is made of (RFC 9112 11.2). The rules are in docs/reference/http1.md.
/// </summary>
internal static class HeadParser
{
    /// <summary>The longest that is registered, UPDATEREDIRECTREF, has 17 (RFC 9110 16.1).</summary>
    public const int MaxMethodLength = 32;

    private static readonly SearchValues<byte> TokenBytes = SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"u8);

    // Field values: anything but controls; HTAB is allowed (RFC 9110 5.5).
    private static readonly SearchValues<byte> ForbiddenInValues = SearchValues.Create([.. Enumerable.Range(0, 32).Where(value => value != '\t').Select(value => (byte)value), 127]);

    private static readonly string[] CommonMethods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

    /// <summary>Parses into a head and a list of fields; returns what is wrong, or null.</summary>
    public static Rejection? Parse(ReadOnlySpan<byte> bytes, EdgeLimits limits, HeaderList fields, out RequestHead head)
    {
        head = default;
        if (!TryReadLine(ref bytes, out var line))
        {
            return Refusals.BadLineEnd;
        }

        if (ParseRequestLine(line, limits, ref head) is { } badLine)
        {
            return badLine;
        }

        while (true)
        {
            if (!TryReadLine(ref bytes, out line))
            {
                return Refusals.BadLineEnd;
            }

            if (line.IsEmpty)
            {
                return Framing(fields, ref head);
            }

            if (fields.Count == limits.MaxHeaderCount)
            {
                return Refusals.TooManyFields;
            }

            if (ParseField(line, fields) is { } badField)
            {
                return badField;
            }
        }
    }

    /// <summary>Cuts one line off. False when it ends in anything but CR LF: nobody may be left to guess where it ends (RFC 9112 2.2 lets us refuse).</summary>
    private static bool TryReadLine(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> line)
    {
        var end = rest.IndexOfAny((byte)'\r', (byte)'\n');
        if (end < 0 || end + 1 >= rest.Length || rest[end] != '\r' || rest[end + 1] != '\n')
        {
            line = default;
            return false;
        }

        line = rest[..end];
        rest = rest[(end + 2)..];
        return true;
    }

    /// <summary>One <c>name: value</c> line into the list; also for trailers.</summary>
    public static Rejection? ParseField(ReadOnlySpan<byte> line, HeaderList fields)
    {
        if (line[0] is (byte)' ' or (byte)'\t')
        {
            return Refusals.FoldedField;
        }

        var colon = line.IndexOf((byte)':');
        if (colon <= 0 || line[..colon].ContainsAnyExcept(TokenBytes))
        {
            return Refusals.BadFieldName;
        }

        var value = line[(colon + 1)..].Trim(" \t"u8);
        if (HasControl(value))
        {
            return Refusals.BadFieldValue;
        }

        fields.Add(line[..colon], value);
        return null;
    }

    /// <summary>Whether this may be a field's name (RFC 9110 5.6.2).</summary>
    public static bool IsToken(ReadOnlySpan<char> name)
    {
        Span<byte> bytes = stackalloc byte[name.Length <= 256 ? name.Length : 0];
        return !name.IsEmpty && Encoding.UTF8.TryGetBytes(name, bytes, out _) && !bytes.ContainsAnyExcept(TokenBytes);
    }

    /// <summary>Whether a value, or a chunk's extension, has a control character in it.</summary>
    public static bool HasControl(ReadOnlySpan<byte> text) => text.ContainsAny(ForbiddenInValues);

    private static Rejection? ParseRequestLine(ReadOnlySpan<byte> line, EdgeLimits limits, ref RequestHead head)
    {
        var methodEnd = line.IndexOf((byte)' ');
        var targetEnd = line.LastIndexOf((byte)' ');
        if (methodEnd <= 0 || methodEnd > MaxMethodLength || line[..methodEnd].ContainsAnyExcept(TokenBytes) || targetEnd <= methodEnd + 1)
        {
            return Refusals.BadRequestLine;
        }

        head.TargetStart = methodEnd + 1;
        head.TargetLength = targetEnd - methodEnd - 1;
        if (line.Slice(head.TargetStart, head.TargetLength).Contains((byte)' '))
        {
            return Refusals.BadRequestLine;
        }

        if (head.TargetLength > limits.MaxTargetBytes)
        {
            return Refusals.TargetTooLong;
        }

        var version = line[(targetEnd + 1)..];
        head.Version = version.SequenceEqual("HTTP/1.1"u8) ? ProtocolVersion.Http11 : version.SequenceEqual("HTTP/1.0"u8) ? ProtocolVersion.Http10 : ProtocolVersion.None;
        head.Method = Intern(line[..methodEnd]);
        head.KeepAlive = head.Version == ProtocolVersion.Http11;
        return head.Version != ProtocolVersion.None ? null : version.StartsWith("HTTP/"u8) ? Refusals.VersionNotSupported : Refusals.BadRequestLine;
    }

    private static string Intern(ReadOnlySpan<byte> method)
    {
        foreach (var common in CommonMethods)
        {
            if (Ascii.Equals(method, common))
            {
                return common;
            }
        }

        return Encoding.ASCII.GetString(method);
    }

    /// <summary>RFC 9112 6.3, without its leniencies.</summary>
    private static Rejection? Framing(HeaderList fields, ref RequestHead head)
    {
        var lengths = fields.CountOf(KnownHeader.ContentLength);
        var codings = fields.CountOf(KnownHeader.TransferEncoding);
        if (codings > 0)
        {
            fields.TryGet(KnownHeader.TransferEncoding, out var coding);
            if (lengths > 0 || codings > 1 || head.Version == ProtocolVersion.Http10 || !Ascii.EqualsIgnoreCase(coding, "chunked"u8))
            {
                return lengths > 0 ? Refusals.LengthAndCoding : Refusals.BadTransferCoding;
            }

            head.ContentLength = -1;
        }
        else if (lengths > 0)
        {
            fields.TryGet(KnownHeader.ContentLength, out var text);
            if (lengths > 1 || !TryLength(text, out head.ContentLength))
            {
                return Refusals.BadContentLength;
            }
        }

        var hosts = fields.CountOf(KnownHeader.Host);
        if (hosts > 1 || (hosts == 0 && head.Version == ProtocolVersion.Http11))
        {
            return Refusals.BadHost;
        }

        if (head.Method == "CONNECT" && head.ContentLength != 0)
        {
            return Refusals.ConnectWithContent;
        }

        head.KeepAlive = head.Version == ProtocolVersion.Http11 ? !Names(fields, "close"u8) : Names(fields, "keep-alive"u8) && !Names(fields, "close"u8);
        if (fields.TryGet(KnownHeader.Expect, out var expectation))
        {
            if (!Ascii.EqualsIgnoreCase(expectation, "100-continue"u8))
            {
                return Refusals.UnknownExpectation;
            }

            // RFC 9110 10.1.1: from an HTTP/1.0 client it is ignored.
            head.ExpectsContinue = head.Version == ProtocolVersion.Http11 && head.ContentLength != 0;
        }

        return null;
    }

    /// <summary>Whether a <c>Connection</c> field names an option.</summary>
    public static bool Names(HeaderList fields, ReadOnlySpan<byte> option)
    {
        for (var i = 0; i < fields.Count; i++)
        {
            if (fields[i].Known != KnownHeader.Connection)
            {
                continue;
            }

            var value = fields[i].Value;
            foreach (var part in value.Split((byte)','))
            {
                if (Ascii.EqualsIgnoreCase(value[part].Trim(" \t"u8), option))
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>Digits and nothing else: no sign, no list, no hex, no white space inside; at most 18 of them, which always fits.</summary>
    private static bool TryLength(ReadOnlySpan<byte> text, out long length)
    {
        length = 0;
        if (text.IsEmpty || text.Length > 18)
        {
            return false;
        }

        foreach (var digit in text)
        {
            if (!char.IsAsciiDigit((char)digit))
            {
                return false;
            }

            length = (length * 10) + (digit - '0');
        }

        return true;
    }
}
