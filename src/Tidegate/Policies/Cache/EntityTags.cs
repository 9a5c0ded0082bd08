using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>Entity tags (RFC 9110 8.8.3): <c>"abc"</c>, or <c>W/"abc"</c> for a weak one.</summary>
internal static class EntityTags
{
    /// <summary>RFC 9110 8.8.3.2: the same but for weakness.</summary>
    public static bool WeaklyEqual(ReadOnlySpan<byte> one, ReadOnlySpan<byte> other) => Opaque(one).SequenceEqual(Opaque(other));

    /// <summary>The same, and neither is weak.</summary>
    public static bool StronglyEqual(ReadOnlySpan<byte> one, ReadOnlySpan<byte> other) => !IsWeak(one) && one.SequenceEqual(other);

    public static bool IsWeak(ReadOnlySpan<byte> tag) => tag.StartsWith("W/"u8);

    /// <summary>Whether a field's list, over all of its lines, has <c>*</c> or a tag that is weakly equal.</summary>
    public static bool AnyMatches(HeaderList fields, KnownHeader name, ReadOnlySpan<byte> tag)
    {
        for (var i = 0; i < fields.Count; i++)
        {
            if (fields[i].Known == name && AnyMatches(fields[i].Value, tag))
            {
                return true;
            }
        }

        return false;
    }

    private static bool AnyMatches(ReadOnlySpan<byte> list, ReadOnlySpan<byte> tag)
    {
        if (list.SequenceEqual("*"u8))
        {
            return true;
        }

        // A comma may stand inside the quotes.
        while (!tag.IsEmpty && !list.IsEmpty)
        {
            list = list.TrimStart(" \t,"u8);
            var prefix = IsWeak(list) ? 2 : 0;
            if (list.Length <= prefix || list[prefix] != '"')
            {
                return false;
            }

            var close = list[(prefix + 1)..].IndexOf((byte)'"');
            if (close < 0)
            {
                return false;
            }

            var end = prefix + 1 + close + 1;
            if (WeaklyEqual(list[..end], tag))
            {
                return true;
            }

            list = list[end..];
        }

        return false;
    }

    private static ReadOnlySpan<byte> Opaque(ReadOnlySpan<byte> tag) => IsWeak(tag) ? tag[2..] : tag;
}
