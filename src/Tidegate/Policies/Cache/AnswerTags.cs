using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>The names under which an answer can be purged with others: <c>Surrogate-Key</c>, <c>Cache-Tag</c>, and the groups of RFC 9875.</summary>
internal static class AnswerTags
{
    // RFC 9875 asks for 32 groups. An answer whose tags cannot all be kept could not be purged by one of them: it is not stored.
    private const int MaxTags = 128;

    /// <summary>The tags and groups of an answer, behind the names that it has anyway.</summary>
    /// <returns>False when there are too many.</returns>
    public static bool TryRead(HeaderList fields, UInt128 secret, string api, ExchangeTarget target, ulong[] others, out ulong[] tags)
    {
        List<ulong>? found = null;
        for (var i = 0; i < fields.Count; i++)
        {
            var field = fields[i];
            if (field.Known != KnownHeader.None || field.Name.Length is < 9 or > 13)
            {
                continue;
            }

            if (Ascii.EqualsIgnoreCase(field.Name, "Surrogate-Key"u8))
            {
                Add(field.Value, ' ');
            }
            else if (Ascii.EqualsIgnoreCase(field.Name, "Cache-Tag"u8))
            {
                Add(field.Value, ',');
            }
            else if (Ascii.EqualsIgnoreCase(field.Name, "Cache-Groups"u8))
            {
                foreach (var group in Groups(field.Value))
                {
                    (found ??= []).Add(CacheKey.OfGroup(secret, Origin(target), group));
                }
            }
        }

        tags = found is null ? others : [.. others, .. found];
        return found is null || found.Count <= MaxTags;

        void Add(ReadOnlySpan<byte> value, char separator)
        {
            foreach (var tag in Encoding.Latin1.GetString(value).Split(separator, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            {
                (found ??= []).Add(CacheKey.OfTag(secret, api, tag));
            }
        }
    }

    /// <summary>The strings of a list of strings (RFC 9651 3.1); none when it is no such list.</summary>
    public static List<string> Groups(ReadOnlySpan<byte> list)
    {
        var groups = new List<string>();
        while (true)
        {
            list = list.Trim(" \t"u8);
            var close = list.Length > 0 && list[0] == '"' ? list[1..].IndexOf((byte)'"') : -1;
            if (close < 0)
            {
                return [];
            }

            groups.Add(Encoding.Latin1.GetString(list.Slice(1, close)));
            list = list[(close + 2)..];

            // RFC 9875 2: parameters say nothing.
            var comma = list.IndexOf((byte)',');
            if (comma < 0)
            {
                return groups;
            }

            list = list[(comma + 1)..];
        }
    }

    public static string Origin(ExchangeTarget target) => target.Scheme + "://" + target.Authority;
}
