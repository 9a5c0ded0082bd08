namespace Tidegate.Control.Inventory;

/// <summary>Tells parts of a path that name a thing (an id, a date, a title) from those that name an operation.</summary>
internal static class PathSegment
{
    public const string Id = "{id}";
    public const string Uuid = "{uuid}";
    public const string Date = "{date}";
    public const string Slug = "{slug}";
    public const string Token = "{token}";

    /// <summary>An address, a list, or anything escaped.</summary>
    public const string Text = "{text}";

    /// <summary>Stands for values that are told apart by nothing but their number.</summary>
    public const string Value = "{value}";

    /// <summary>What follows is deeper than anybody's operations.</summary>
    public const string Rest = "**";

    // Names of operations are shorter.
    private const int LongestName = 64;
    private const int ShortestToken = 16;
    private const int ShortestHash = 8;
    private const int UuidLength = 36;

    // How many hyphens make a title of a name: "chat-completions" and "bulk-import-jobs" are operations.
    private const int HyphensOfTitle = 3;

    private static readonly string[] Templates = [Id, Uuid, Date, Slug, Token, Text, Value, Rest];

    /// <summary>Whether it is a name, of which there may be too many: no parameter, no version, and not the end of a path.</summary>
    public static bool IsName(ReadOnlySpan<char> segment) => !segment.IsEmpty && !IsVersion(segment) && TemplateOf(segment) is null;

    /// <summary>The parameter that a template has here, perhaps with a verb; null for anything else, whatever its braces.</summary>
    public static string? TemplateOf(ReadOnlySpan<char> segment)
    {
        if (!segment.StartsWith('{') && !segment.SequenceEqual(Rest))
        {
            return null;
        }

        if (VerbOf(segment) is { IsEmpty: false } verb)
        {
            return TemplateOf(segment[..^verb.Length]) is null ? null : segment.ToString();
        }

        foreach (var template in Templates)
        {
            if (segment.SequenceEqual(template))
            {
                return template;
            }
        }

        return null;
    }

    /// <summary>The parameter that a segment is a value of, with the verb behind it (gemini-2.0-flash:generateContent); null for a name.</summary>
    public static string? ParameterOf(ReadOnlySpan<char> segment)
    {
        if (VerbOf(segment) is { IsEmpty: false } verb)
        {
            // Behind an address or a list nobody knows what stands.
            return ParameterOf(segment[..^verb.Length]) is { } parameter ? parameter == Text ? Text : string.Concat(parameter, verb) : null;
        }

        if (segment.IsEmpty || IsVersion(segment))
        {
            return null;
        }

        if (segment.Length == UuidLength && Guid.TryParseExact(segment, "D", out _))
        {
            return Uuid;
        }

        var (digits, letters, hyphens, others) = Count(segment);
        if (digits > 0 && letters == 0)
        {
            return IsDate(segment) ? Date : Id;
        }

        if (segment.Contains('@') || segment.Contains('%') || segment.Contains('=') || segment.Contains(','))
        {
            return Text;
        }

        if (letters > 0 && digits > 0 && segment.Length > 10 && IsDate(segment[..10]) && segment[10] is 'T' or 't')
        {
            return Date;
        }

        if (digits > 0 && segment.Length >= ShortestHash && segment.Trim("0123456789abcdef").IsEmpty)
        {
            return Id;
        }

        // cus_9s6XKzkNRiz8i3, ch_000001, order-4711, TG000000042
        if (digits > 0 && IsNumbered(segment))
        {
            return Id;
        }

        if (hyphens >= HyphensOfTitle || (hyphens > 0 && digits > 0 && hyphens + 1 >= HyphensOfTitle))
        {
            return Slug;
        }

        return segment.Length > LongestName || (segment.Length >= ShortestToken && digits > 1 && others == 0) ? Token : null;
    }

    /// <summary>What is done with a thing, behind a colon, with it; empty for none.</summary>
    /// <summary>What stands behind the last colon, with it, when that may be a verb; else empty.</summary>
    public static ReadOnlySpan<char> VerbOf(ReadOnlySpan<char> segment)
    {
        var colon = segment.LastIndexOf(':');
        return colon > 0 && colon < segment.Length - 1 && segment.Length - colon <= LongestName && !segment[..colon].Contains(':') && IsLetters(segment[(colon + 1)..]) ? segment[colon..] : [];
    }

    private static bool IsLetters(ReadOnlySpan<char> text)
    {
        foreach (var character in text)
        {
            if (!char.IsAsciiLetter(character))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>v1, v2.1, v1beta3.</summary>
    public static bool IsVersion(ReadOnlySpan<char> segment)
    {
        if (segment.Length is < 2 or > 10 || segment[0] is not ('v' or 'V') || !char.IsAsciiDigit(segment[1]))
        {
            return false;
        }

        var rest = segment[1..].TrimStart("0123456789.");
        return rest.IsEmpty || rest.StartsWith("alpha") || rest.StartsWith("beta");
    }

    private static (int Digits, int Letters, int Hyphens, int Others) Count(ReadOnlySpan<char> segment)
    {
        var (digits, letters, hyphens, others) = (0, 0, 0, 0);
        foreach (var character in segment)
        {
            digits += char.IsAsciiDigit(character) ? 1 : 0;
            letters += char.IsAsciiLetter(character) ? 1 : 0;
            hyphens += character is '-' ? 1 : 0;
            others += char.IsAsciiLetterOrDigit(character) || character is '-' or '_' ? 0 : 1;
        }

        return (digits, letters, hyphens, others);
    }

    /// <summary>Letters, then perhaps a hyphen or underscore, then digits; or behind an underscore anything that has digits.</summary>
    private static bool IsNumbered(ReadOnlySpan<char> segment)
    {
        var underscore = segment.IndexOf('_');
        if (underscore is > 0 and <= 12 && segment.Length - underscore > 5 && segment[(underscore + 1)..].ContainsAnyInRange('0', '9'))
        {
            return true;
        }

        var name = segment.TrimEnd("0123456789");
        var digits = segment.Length - name.Length;
        return digits >= 4 || (digits >= 1 && name.Length > 1 && name[^1] is '-' or '_');
    }

    private static bool IsDate(ReadOnlySpan<char> segment) =>
        segment.Length == 10 && segment[4] == '-' && segment[7] == '-' && DateOnly.TryParseExact(segment, "yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture, System.Globalization.DateTimeStyles.None, out _);
}
