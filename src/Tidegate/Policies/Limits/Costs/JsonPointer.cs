using System.Globalization;
using System.Text;

namespace Tidegate.Policies.Limits.Costs;

/// <summary>Where in a JSON document a value stands (RFC 6901): <c>/usage/total_tokens</c>.</summary>
internal sealed class JsonPointer
{
    /// <summary>Deeper fields are nobody's cost.</summary>
    public const int MaxSegments = 16;

    private JsonPointer(string text, byte[][] names, int[] indexes)
    {
        Text = text;
        Names = names;
        Indexes = indexes;
    }

    public string Text { get; }

    /// <summary>Its parts, as names of members.</summary>
    public byte[][] Names { get; }

    /// <summary>Its parts as places in a list; -1 for what is none.</summary>
    public int[] Indexes { get; }

    /// <summary>Whether a text is one, of at least one and at most <see cref="MaxSegments"/> parts.</summary>
    public static JsonPointer? TryParse(string text)
    {
        var parts = text.Split('/');
        if (parts.Length is < 2 or > MaxSegments + 1 || parts[0].Length > 0)
        {
            return null;
        }

        // RFC 6901 4: ~1 first, so that ~01 is ~1 and not /.
        string[] names = [.. parts[1..].Select(part => part.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal))];
        return new JsonPointer(text, [.. names.Select(Encoding.UTF8.GetBytes)], [.. names.Select(IndexOf)]);
    }

    private static int IndexOf(string name) =>
        (name == "0" || !name.StartsWith('0')) && int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index : -1;
}
