using System.Text;

namespace Tidegate.Policies.Cache;

/// <summary>One range of bytes (RFC 9110 14.1.2) of content whose length is known.</summary>
internal readonly record struct ByteRange(long Start, long Length)
{
    /// <summary>Reads a Range field. Several ranges, other units and broken ones are not answered as ranges: the whole is (RFC 9110 14.2).</summary>
    /// <param name="value">The field.</param>
    /// <param name="total">The content's length.</param>
    /// <param name="range">What of it.</param>
    /// <returns>Null when the whole is to be sent; false when nothing of the content is in the range.</returns>
    public static bool? Read(ReadOnlySpan<byte> value, long total, out ByteRange range)
    {
        range = new ByteRange(0, total);
        if (value.Length < 7 || !Ascii.EqualsIgnoreCase(value[..6], "bytes="u8) || value.Contains((byte)','))
        {
            return null;
        }

        var spec = value[6..].Trim((byte)' ');
        var dash = spec.IndexOf((byte)'-');
        if (dash < 0)
        {
            return null;
        }

        if (dash == 0)
        {
            if (!TryNumber(spec[1..], out var suffix))
            {
                return null;
            }

            var length = Math.Min(suffix, total);
            range = new ByteRange(total - length, length);
            return length > 0;
        }

        var last = long.MaxValue;
        if (!TryNumber(spec[..dash], out var first) || (dash + 1 < spec.Length && !TryNumber(spec[(dash + 1)..], out last)) || last < first)
        {
            return null;
        }

        range = new ByteRange(first, Math.Min(last, total - 1) - first + 1);
        return first < total;
    }

    private static bool TryNumber(ReadOnlySpan<byte> text, out long number)
    {
        number = 0;
        return text.Length is > 0 and <= 18 && text.IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0 && System.Buffers.Text.Utf8Parser.TryParse(text, out number, out _);
    }
}
