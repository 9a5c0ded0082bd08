using System.Buffers;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Edge;

/// <summary>
/// A path in its one form. Two passes: escapes are brought to one form and refused where servers disagree about them, then dot
/// segments are removed. A path that is canonical already, which is nearly every path, is only checked.
/// </summary>
internal static class CanonicalPath
{
    // Bytes that stand for themselves: RFC 3986 pchar and slash, without the percent sign.
    private static readonly SearchValues<byte> PlainBytes = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@/"u8);

    private static ReadOnlySpan<byte> HexDigits => "0123456789ABCDEF"u8;

    /// <summary>Null when the path is well-formed; it must start with a slash.</summary>
    public static Rejection? Parse(ReadOnlySpan<byte> raw, bool mergeSlashes, out string path)
    {
        path = "";
        if (!raw.StartsWith("/"u8))
        {
            return TargetRejections.Form;
        }

        // Without escapes a dot segment, also one with parameters, can only begin right after a slash.
        if (!raw.ContainsAnyExcept(PlainBytes) && raw.IndexOf("/."u8) < 0 && !(mergeSlashes && raw.IndexOf("//"u8) >= 0))
        {
            path = raw.Length == 1 ? "/" : Encoding.ASCII.GetString(raw);
            return null;
        }

        // An illegal byte grows to three.
        var rented = raw.Length > 170 ? ArrayPool<byte>.Shared.Rent(raw.Length * 3) : null;
        var buffer = rented ?? stackalloc byte[512];
        var rejection = NormaliseEscapes(raw, buffer, out var length);
        rejection ??= RemoveDotSegments(buffer[..length], mergeSlashes, out length);
        if (rejection is null)
        {
            path = Encoding.ASCII.GetString(buffer[..length]);
        }

        if (rented is not null)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }

        return rejection;
    }

    private static Rejection? NormaliseEscapes(ReadOnlySpan<byte> raw, Span<byte> output, out int length)
    {
        length = 0;
        for (var i = 0; i < raw.Length;)
        {
            var value = raw[i];
            if (value == '%')
            {
                if (i + 2 >= raw.Length || !TryReadHex(raw[i + 1], raw[i + 2], out value))
                {
                    return TargetRejections.Triplet;
                }

                if (value >= 0x80)
                {
                    if (!TrySkipUtf8(raw, ref i, output, ref length))
                    {
                        return TargetRejections.Utf8;
                    }

                    continue;
                }

                if (value is < 0x20 or 0x7F or (byte)'\\')
                {
                    return TargetRejections.EncodedControl;
                }

                i += 3;
                if (IsUnreserved(value))
                {
                    output[length++] = value;
                }
                else
                {
                    WriteTriplet(value, output, ref length);
                }

                continue;
            }

            if (value is <= 0x20 or >= 0x7F or (byte)'\\' or (byte)'#')
            {
                return TargetRejections.RawCharacter;
            }

            if (PlainBytes.Contains(value))
            {
                output[length++] = value;
            }
            else
            {
                WriteTriplet(value, output, ref length);
            }

            i++;
        }

        return null;
    }

    // One whole character: overlong forms, surrogates and sequences that a raw byte interrupts are invalid (RFC 3629 3).
    private static bool TrySkipUtf8(ReadOnlySpan<byte> raw, ref int at, Span<byte> output, ref int length)
    {
        Span<byte> sequence = stackalloc byte[4];
        var read = 0;
        for (var i = at; read < 4 && i + 2 < raw.Length && raw[i] == '%' && TryReadHex(raw[i + 1], raw[i + 2], out var value); i += 3)
        {
            sequence[read++] = value;
        }

        if (Rune.DecodeFromUtf8(sequence[..read], out _, out var consumed) != OperationStatus.Done)
        {
            return false;
        }

        for (var i = 0; i < consumed; i++)
        {
            WriteTriplet(sequence[i], output, ref length);
        }

        at += consumed * 3;
        return true;
    }

    // RFC 3986 5.2.4, in place: what is written never overtakes what is read.
    private static Rejection? RemoveDotSegments(Span<byte> path, bool mergeSlashes, out int length)
    {
        length = 0;
        for (var start = 1; start <= path.Length;)
        {
            var slash = path[start..].IndexOf((byte)'/');
            var isLast = slash < 0;
            var segment = isLast ? path[start..] : path.Slice(start, slash);
            start += segment.Length + 1;
            if (segment.SequenceEqual("."u8) || (mergeSlashes && segment.IsEmpty && !isLast))
            {
                AppendFinalSlash(path, isLast, ref length);
                continue;
            }

            if (segment.SequenceEqual(".."u8))
            {
                if (length == 0)
                {
                    return TargetRejections.Root;
                }

                length = path[..length].LastIndexOf((byte)'/');
                AppendFinalSlash(path, isLast, ref length);
                continue;
            }

            if (HidesDotSegment(segment))
            {
                return TargetRejections.DotSegment;
            }

            var size = segment.Length;
            segment.CopyTo(path[(length + 1)..]);
            path[length] = (byte)'/';
            length += size + 1;
        }

        return null;
    }

    private static void AppendFinalSlash(Span<byte> path, bool isLast, ref int length)
    {
        if (isLast)
        {
            path[length++] = (byte)'/';
        }
    }

    // "..;x" is a dot segment to servers that know path parameters, "..%2Fx" to those that decode first. Escapes are upper case by now.
    private static bool HidesDotSegment(ReadOnlySpan<byte> segment)
    {
        if (segment.IndexOf((byte)'.') < 0)
        {
            return false;
        }

        for (var rest = segment; ;)
        {
            var slash = rest.IndexOf("%2F"u8);
            var part = slash < 0 ? rest : rest[..slash];
            var isWhole = part.Length == segment.Length;
            var parameters = part.IndexOf((byte)';');
            var escaped = part.IndexOf("%3B"u8);
            parameters = parameters < 0 || (escaped >= 0 && escaped < parameters) ? escaped : parameters;
            if (!(isWhole && parameters < 0))
            {
                var name = parameters < 0 ? part : part[..parameters];
                if (name.SequenceEqual("."u8) || name.SequenceEqual(".."u8))
                {
                    return true;
                }
            }

            if (slash < 0)
            {
                return false;
            }

            rest = rest[(slash + 3)..];
        }
    }

    private static bool IsUnreserved(byte value) => char.IsAsciiLetterOrDigit((char)value) || value is (byte)'-' or (byte)'.' or (byte)'_' or (byte)'~';

    private static bool TryReadHex(byte high, byte low, out byte value)
    {
        value = 0;
        if (!char.IsAsciiHexDigit((char)high) || !char.IsAsciiHexDigit((char)low))
        {
            return false;
        }

        value = (byte)((Digit(high) << 4) | Digit(low));
        return true;

        static int Digit(byte digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
    }

    private static void WriteTriplet(byte value, Span<byte> output, ref int length)
    {
        output[length++] = (byte)'%';
        output[length++] = HexDigits[value >> 4];
        output[length++] = HexDigits[value & 15];
    }
}
