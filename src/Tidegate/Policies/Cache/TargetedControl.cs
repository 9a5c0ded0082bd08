using System.Buffers;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>
/// Targeted cache control (RFC 9213): <c>Tidegate-Cache-Control</c> first, then <c>CDN-Cache-Control</c>. Each is a dictionary of structured fields
/// (RFC 9651); one that is not valid as a whole, or has a directive of the wrong type, is as if it were not there.
/// </summary>
internal static class TargetedControl
{
    /// <summary>Above any other field.</summary>
    public static ReadOnlySpan<byte> OwnName => "Tidegate-Cache-Control"u8;

    // RFC 9651 3.3.1: an integer has at most 15 digits.
    private const int MaxDigits = 15;

    /// <summary>What the first valid targeted field says; then Cache-Control and Expires say nothing.</summary>
    public static bool TryRead(HeaderList fields, out CacheControl control) =>
        TryRead(fields, OwnName, out control) || TryRead(fields, "CDN-Cache-Control"u8, out control);

    private static bool TryRead(HeaderList fields, ReadOnlySpan<byte> name, out CacheControl control)
    {
        control = new CacheControl();
        if (!fields.TryGet(name, out var only))
        {
            return false;
        }

        var lines = 0;
        var bytes = 0;
        for (var i = 0; i < fields.Count; i++)
        {
            if (fields[i].Known == KnownHeader.None && Ascii.EqualsIgnoreCase(fields[i].Name, name))
            {
                lines++;
                bytes += fields[i].Value.Length + 1;
            }
        }

        if (lines == 1)
        {
            return TryParse(only, ref control);
        }

        // RFC 9651 4.2: several lines are one, joined by commas.
        var joined = ArrayPool<byte>.Shared.Rent(bytes);
        var length = 0;
        for (var i = 0; i < fields.Count; i++)
        {
            if (fields[i].Known == KnownHeader.None && Ascii.EqualsIgnoreCase(fields[i].Name, name))
            {
                fields[i].Value.CopyTo(joined.AsSpan(length));
                length += fields[i].Value.Length;
                joined[length++] = (byte)',';
            }
        }

        var isValid = TryParse(joined.AsSpan(0, length - 1), ref control);
        ArrayPool<byte>.Shared.Return(joined);
        return isValid;
    }

    /// <summary>RFC 9651 4.2.2. An empty dictionary says nothing, so the next field is asked.</summary>
    internal static bool TryParse(ReadOnlySpan<byte> text, ref CacheControl control)
    {
        text = text.Trim((byte)' ');
        if (text.IsEmpty)
        {
            return false;
        }

        while (true)
        {
            if (!TryKey(ref text, out var key))
            {
                return false;
            }

            var item = new Item { IsTrue = true };
            if (TryTake(ref text, (byte)'=') && !(TryTake(ref text, (byte)'(') ? TryInnerList(ref text, out item) : TryBareItem(ref text, out item)))
            {
                return false;
            }

            if (!TryParameters(ref text) || !TrySet(key, item, ref control))
            {
                return false;
            }

            text = text.TrimStart(" \t"u8);
            if (text.IsEmpty)
            {
                return true;
            }

            if (!TryTake(ref text, (byte)','))
            {
                return false;
            }

            text = text.TrimStart(" \t"u8);
            if (text.IsEmpty)
            {
                return false;
            }
        }
    }

    private static bool TrySet(ReadOnlySpan<byte> key, in Item item, ref CacheControl control)
    {
        var needsNumber = key.SequenceEqual("max-age"u8) || key.SequenceEqual("s-maxage"u8) || key.SequenceEqual("stale-while-revalidate"u8) || key.SequenceEqual("stale-if-error"u8);
        if (needsNumber)
        {
            if (!item.IsInteger || item.Text[0] == '-')
            {
                return false;
            }

            control.Set(key, item.Text, hasValue: true);
        }
        else if (item.IsTrue || item.IsString)
        {
            control.Set(key, item.IsString ? item.Text : default, item.IsString);
        }

        return true;
    }

    private static bool TryKey(scoped ref ReadOnlySpan<byte> text, out ReadOnlySpan<byte> key)
    {
        var length = 0;
        while (length < text.Length && (text[length] is (>= (byte)'a' and <= (byte)'z') or (byte)'*' || (length > 0 && text[length] is (>= (byte)'0' and <= (byte)'9') or (byte)'_' or (byte)'-' or (byte)'.')))
        {
            length++;
        }

        key = text[..length];
        text = text[length..];
        return length > 0;
    }

    private static bool TryParameters(scoped ref ReadOnlySpan<byte> text)
    {
        while (TryTake(ref text, (byte)';'))
        {
            text = text.TrimStart((byte)' ');
            if (!TryKey(ref text, out _) || (TryTake(ref text, (byte)'=') && !TryBareItem(ref text, out _)))
            {
                return false;
            }
        }

        return true;
    }

    private static bool TryInnerList(scoped ref ReadOnlySpan<byte> text, out Item item)
    {
        item = default;
        while (!text.IsEmpty)
        {
            text = text.TrimStart((byte)' ');
            if (TryTake(ref text, (byte)')'))
            {
                return true;
            }

            if (!TryBareItem(ref text, out _) || !TryParameters(ref text) || text.IsEmpty || text[0] is not ((byte)' ' or (byte)')'))
            {
                return false;
            }
        }

        return false;
    }

    private static bool TryBareItem(scoped ref ReadOnlySpan<byte> text, out Item item)
    {
        item = default;
        return !text.IsEmpty && text[0] switch
        {
            (byte)'"' => TryString(ref text, out item),
            (byte)'?' => TryBoolean(ref text, out item),
            (byte)':' => TryBytes(ref text),
            (byte)'@' => TryDate(ref text),
            (byte)'-' or (>= (byte)'0' and <= (byte)'9') => TryNumber(ref text, out item),
            (byte)'*' or (>= (byte)'a' and <= (byte)'z') or (>= (byte)'A' and <= (byte)'Z') => TryToken(ref text),
            _ => false,
        };
    }

    private static bool TryNumber(scoped ref ReadOnlySpan<byte> text, out Item item)
    {
        var start = text[0] == '-' ? 1 : 0;
        var digits = Digits(text[start..]);
        var length = start + digits;
        item = new Item { IsInteger = true, Text = text[..length] };
        if (digits is 0 or > MaxDigits)
        {
            return false;
        }

        if (length < text.Length && text[length] == '.')
        {
            var fraction = Digits(text[(length + 1)..]);
            item = default;
            if (fraction is 0 or > 3 || digits > 12)
            {
                return false;
            }

            length += 1 + fraction;
        }

        text = text[length..];
        return true;
    }

    private static int Digits(ReadOnlySpan<byte> text)
    {
        var end = text.IndexOfAnyExceptInRange((byte)'0', (byte)'9');
        return end < 0 ? text.Length : end;
    }

    private static bool TryDate(scoped ref ReadOnlySpan<byte> text)
    {
        text = text[1..];
        return !text.IsEmpty && TryNumber(ref text, out var item) && item.IsInteger;
    }

    private static bool TryString(scoped ref ReadOnlySpan<byte> text, out Item item)
    {
        item = default;
        for (var i = 1; i < text.Length; i++)
        {
            if (text[i] == '"')
            {
                item = new Item { IsString = true, Text = text[1..i] };
                text = text[(i + 1)..];
                return true;
            }

            if (text[i] == '\\' && (++i == text.Length || text[i] is not ((byte)'"' or (byte)'\\')))
            {
                return false;
            }

            if (text[i] is < 0x20 or > 0x7E)
            {
                return false;
            }
        }

        return false;
    }

    private static bool TryBoolean(scoped ref ReadOnlySpan<byte> text, out Item item)
    {
        item = default;
        if (text.Length < 2 || text[1] is not ((byte)'0' or (byte)'1'))
        {
            return false;
        }

        item = new Item { IsTrue = text[1] == '1' };
        text = text[2..];
        return true;
    }

    private static bool TryBytes(scoped ref ReadOnlySpan<byte> text)
    {
        var end = text[1..].IndexOf((byte)':');
        if (end < 0 || !System.Buffers.Text.Base64.IsValid(text.Slice(1, end)))
        {
            return false;
        }

        text = text[(end + 2)..];
        return true;
    }

    private static readonly SearchValues<byte> TokenBytes = SearchValues.Create("!#$%&'*+-.^_`|~:/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    private static bool TryToken(scoped ref ReadOnlySpan<byte> text)
    {
        var end = text.IndexOfAnyExcept(TokenBytes);
        text = end < 0 ? default : text[end..];
        return true;
    }

    private static bool TryTake(scoped ref ReadOnlySpan<byte> text, byte expected)
    {
        if (text.IsEmpty || text[0] != expected)
        {
            return false;
        }

        text = text[1..];
        return true;
    }

    /// <summary>A value as far as it matters here.</summary>
    private ref struct Item
    {
        public bool IsTrue;
        public bool IsInteger;
        public bool IsString;
        public ReadOnlySpan<byte> Text;
    }
}
