using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Forwarding.Http1;

/// <summary>How far a head has been read.</summary>
internal enum HeadProgress
{
    /// <summary>Its end is not there yet.</summary>
    Incomplete,

    Complete,

    Malformed,
}

/// <summary>
/// The head of an upstream's answer, read line by line as it arrives, as strictly as the edge reads requests: where two readers could disagree on where the answer
/// ends, the next exchange's client would get what is not its own (RFC 9112 11.1). The rules are in docs/reference/upstreams.md.
/// </summary>
internal struct ResponseHead
{
    /// <summary>Status line and fields together. Twice what the edge takes from clients: services set cookies and policies generously.</summary>
    public const int MaxBytes = 64 * 1024;

    /// <summary>Bounds the work for each answer; content security policies and cookies of large services stay well below.</summary>
    public const int MaxFields = 200;

    private int _bytes;
    private int _fields;
    private int _lengths;
    private int _codings;
    private bool _isChunkedCoding;
    private bool _saysClose;
    private bool _saysKeepAlive;
    private bool _namesFields;

    /// <summary>100 to 599; 0 before the status line was there.</summary>
    public int Status { get; private set; }

    /// <summary>HTTP/1.1, or HTTP/1.0.</summary>
    public ProtocolVersion Version { get; private set; }

    /// <summary>What Content-Length says; null without one.</summary>
    public long? ContentLength { get; private set; }

    /// <summary>The content is chunked.</summary>
    public readonly bool IsChunked => _codings > 0;

    /// <summary>Connection: upgrade.</summary>
    public bool SaysUpgrade { get; private set; }

    /// <summary>The connection may carry another request after this answer, as far as the answer says.</summary>
    public readonly bool IsPersistent => !_saysClose && (Version == ProtocolVersion.Http11 || _saysKeepAlive);

    /// <summary>What is wrong, in words, when it is malformed.</summary>
    public string? Problem { get; private set; }

    /// <summary>Reads whole lines.</summary>
    /// <param name="bytes">From the first byte that was not consumed yet.</param>
    /// <param name="final">Gets the end-to-end fields of a final answer, and of a 101.</param>
    /// <param name="interim">Gets those of other 1xx answers.</param>
    /// <param name="consumed">Bytes of lines that are dealt with.</param>
    public HeadProgress Read(ReadOnlySpan<byte> bytes, HeaderList final, HeaderList interim, out int consumed)
    {
        consumed = 0;
        while (true)
        {
            var rest = bytes[consumed..];
            var end = rest.IndexOf((byte)'\n');
            if (end < 0)
            {
                return _bytes + rest.Length > MaxBytes ? Malformed("its head is too large") : HeadProgress.Incomplete;
            }

            _bytes += end + 1;
            if (_bytes > MaxBytes)
            {
                return Malformed("its head is too large");
            }

            if (end == 0 || rest[end - 1] != '\r')
            {
                return Malformed("a line of its head does not end with CR LF");
            }

            consumed += end + 1;
            var line = rest[..(end - 1)];
            if (Status == 0)
            {
                if (!ReadStatusLine(line))
                {
                    return Malformed("its status line is not HTTP/1.1 SP status SP reason");
                }

                continue;
            }

            var fields = IsInterim ? interim : final;
            if (line.IsEmpty)
            {
                return Finish(fields);
            }

            if (++_fields > MaxFields)
            {
                return Malformed("it has too many fields");
            }

            if (!FieldSyntax.TrySplit(line, out var name, out var value))
            {
                return Malformed("a field line is malformed");
            }

            if (!ReadField(name, value, fields))
            {
                return HeadProgress.Malformed;
            }
        }
    }

    /// <summary>1xx, but not the one that ends HTTP.</summary>
    public readonly bool IsInterim => Status is >= 100 and < 200 and not 101;

    private bool ReadStatusLine(ReadOnlySpan<byte> line)
    {
        // "HTTP/1.1 200" and then nothing, or a space and a reason that nobody reads. The space is due even without a reason; that it is often missing does no harm.
        if (line.Length < 12 || !line.StartsWith("HTTP/1."u8) || line[8] != ' ' || (line.Length > 12 && line[12] != ' ') || FieldSyntax.HasControl(line[12..]))
        {
            return false;
        }

        int hundreds = line[9] - '0', tens = line[10] - '0', ones = line[11] - '0';
        Version = line[7] == '1' ? ProtocolVersion.Http11 : line[7] == '0' ? ProtocolVersion.Http10 : ProtocolVersion.None;
        if (Version == ProtocolVersion.None || hundreds is < 1 or > 5 || tens is < 0 or > 9 || ones is < 0 or > 9)
        {
            return false;
        }

        Status = (hundreds * 100) + (tens * 10) + ones;
        return true;
    }

    private bool ReadField(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, HeaderList fields)
    {
        var known = KnownHeaders.Identify(name);
        if (!FieldSyntax.IsOfTheConnection(known))
        {
            fields.Add(new HeaderField(known, name, value));
            return true;
        }

        switch (known)
        {
            case KnownHeader.ContentLength:
                if (++_lengths > 1 || !TryLength(value, out var length))
                {
                    Malformed("its Content-Length is not one decimal number");
                    return false;
                }

                ContentLength = length;
                break;
            case KnownHeader.TransferEncoding:
                _codings++;
                _isChunkedCoding = Ascii.EqualsIgnoreCase(value, "chunked"u8);
                break;
            case KnownHeader.Connection:
                ReadConnection(value);

                // Kept until the end of the head when it names fields: those may stand before or after it.
                if (_namesFields)
                {
                    fields.Add(new HeaderField(known, name, value));
                }

                break;
            case KnownHeader.Upgrade when Status == 101:
                fields.Add(new HeaderField(known, name, value));
                break;
            default:
                break;
        }

        return true;
    }

    private void ReadConnection(ReadOnlySpan<byte> value)
    {
        foreach (var part in value.Split((byte)','))
        {
            var option = value[part].Trim(" \t"u8);
            if (Ascii.EqualsIgnoreCase(option, "close"u8))
            {
                _saysClose = true;
            }
            else if (Ascii.EqualsIgnoreCase(option, "keep-alive"u8))
            {
                _saysKeepAlive = true;
            }
            else if (Ascii.EqualsIgnoreCase(option, "upgrade"u8))
            {
                SaysUpgrade = true;
            }
            else if (!option.IsEmpty)
            {
                _namesFields = true;
            }
        }
    }

    /// <summary>RFC 9112 6.3, and nothing of what it leaves to the reader's judgement.</summary>
    private HeadProgress Finish(HeaderList fields)
    {
        if (_codings > 0)
        {
            if (_lengths > 0)
            {
                return Malformed("it has both Content-Length and Transfer-Encoding");
            }

            if (_codings > 1 || !_isChunkedCoding || Version == ProtocolVersion.Http10)
            {
                return Malformed("its transfer coding is not a single 'chunked' in HTTP/1.1");
            }
        }

        if (_namesFields)
        {
            DropNamed(fields);
        }

        return HeadProgress.Complete;
    }

    private static void DropNamed(HeaderList fields)
    {
        for (var i = fields.Count - 1; i >= 0; i--)
        {
            if (fields[i].Known != KnownHeader.Connection && IsNamed(fields, fields[i].Name))
            {
                fields.RemoveAt(i);
            }
        }

        fields.Remove(KnownHeader.Connection);
    }

    private static bool IsNamed(HeaderList fields, ReadOnlySpan<byte> name)
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
                if (Ascii.EqualsIgnoreCase(value[part].Trim(" \t"u8), name))
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

    private HeadProgress Malformed(string problem)
    {
        Problem = problem;
        return HeadProgress.Malformed;
    }
}
