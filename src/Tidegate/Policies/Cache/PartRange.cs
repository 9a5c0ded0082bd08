using System.Buffers.Text;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>Which part of the whole a 206 is (RFC 9110 14.4).</summary>
internal static class PartRange
{
    /// <summary>Reads Content-Range: <c>bytes 0-99/1000</c>. False when it is another unit, broken, there twice, or does not say how long the whole is.</summary>
    public static bool TryRead(HeaderList fields, out ByteRange range, out long total)
    {
        range = default;
        total = 0;
        var found = false;
        for (var i = 0; i < fields.Count; i++)
        {
            if (Ascii.EqualsIgnoreCase(fields[i].Name, "Content-Range"u8))
            {
                if (found || !TryRead(fields[i].Value, out range, out total))
                {
                    return false;
                }

                found = true;
            }
        }

        return found;
    }

    private static bool TryRead(ReadOnlySpan<byte> value, out ByteRange range, out long total)
    {
        range = default;
        total = 0;
        if (value.Length < 6 || !Ascii.EqualsIgnoreCase(value[..6], "bytes "u8))
        {
            return false;
        }

        value = value[6..];
        if (!TryNumber(ref value, (byte)'-', out var first) || !TryNumber(ref value, (byte)'/', out var last) || !TryNumber(ref value, 0, out total) || first > last || last >= total)
        {
            return false;
        }

        range = new ByteRange(first, last - first + 1);
        return true;
    }

    private static bool TryNumber(ref ReadOnlySpan<byte> value, byte end, out long number)
    {
        number = 0;
        var length = end == 0 ? value.Length : value.IndexOf(end);
        if (length is <= 0 or > 18 || value[..length].IndexOfAnyExceptInRange((byte)'0', (byte)'9') >= 0 || !Utf8Parser.TryParse(value[..length], out number, out _))
        {
            return false;
        }

        value = value[Math.Min(value.Length, length + 1)..];
        return true;
    }
}
