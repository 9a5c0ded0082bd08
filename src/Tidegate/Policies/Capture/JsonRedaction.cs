using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Tidegate.Policies.Capture;

/// <summary>Reads along JSON, whole or not, strict or nearly (names without quotes, single quotes), and copies it without the values of secret members, to their ends, whatever they are.</summary>
internal readonly struct JsonRedaction(Redaction redaction)
{
    private const string Masked = $"\"{Redaction.Mask}\"";

    public string Redact(string text)
    {
        var kept = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length;)
        {
            if (!IsTokenAt(text, i))
            {
                kept.Append(text[i++]);
                continue;
            }

            var end = EndOfToken(text, i);
            var colon = SkipSpace(text, end);
            if (colon < text.Length && text[colon] == ':')
            {
                kept.Append(text, i, end - i);
                var value = SkipSpace(text, colon + 1);
                if (Plain(text, i, end) is var name && redaction.IsSecret(name) && !IsCount(name, text, value))
                {
                    kept.Append(text, end, value - end).Append(Masked);
                    end = EndOfValue(text, value);
                }
            }
            else if (Plain(text, i, end) is var plain && (Redaction.LooksSecret(plain) || redaction.HidesSecret(plain) || (IsWord(text[i]) && !IsValue(plain))))
            {
                kept.Append(Masked);
            }
            else
            {
                kept.Append(text, i, end - i);
            }

            i = end;
        }

        return kept.ToString();
    }

    /// <summary>What a model has used, such as prompt_tokens: a number of tokens is none.</summary>
    private static bool IsCount(string name, string text, int value) =>
        name.EndsWith("tokens", StringComparison.OrdinalIgnoreCase) && value < text.Length && char.IsAsciiDigit(text[value]);

    /// <summary>What JSON has without quotes. Anything else is text that only began as JSON, or the value of a name that nobody can tell.</summary>
    private static bool IsValue(string word) =>
        word is "true" or "false" or "null"
        || (word is [>= '0' and <= '9', ..] or ['-', >= '0' and <= '9', ..] && double.TryParse(word, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out _));

    private static bool IsTokenAt(string text, int at) => text[at] is '"' or '\'' || IsWord(text[at]);

    private static bool IsWord(char letter) => char.IsLetterOrDigit(letter) || letter is '_' or '$' or '-' or '+' or '.' or '\\';

    private static int EndOfToken(string text, int at)
    {
        if (text[at] is '"' or '\'')
        {
            return EndOfString(text, at);
        }

        while (at < text.Length && IsWord(text[at]))
        {
            at++;
        }

        return at;
    }

    /// <summary>A name or value as it is meant: "pass\u0077ord" is password.</summary>
    private static string Plain(string text, int at, int end)
    {
        var isQuoted = text[at] is '"' or '\'';
        var isClosed = isQuoted && end - at > 1 && text[end - 1] == text[at];
        var raw = isQuoted ? text[(at + 1)..(isClosed ? end - 1 : end)] : text[at..end];
        if (!raw.Contains('\\', StringComparison.Ordinal))
        {
            return raw;
        }

        try
        {
            return JsonSerializer.Deserialize<string>($"\"{raw}\"") ?? raw;
        }
        catch (JsonException)
        {
            // Cut within an escape, or none of JSON's.
            return raw.Replace("\\\"", "\"", StringComparison.Ordinal);
        }
    }

    private static int SkipSpace(string text, int at)
    {
        while (at < text.Length && char.IsWhiteSpace(text[at]))
        {
            at++;
        }

        return at;
    }

    /// <summary>Behind the closing quote, or the end.</summary>
    private static int EndOfString(string text, int at)
    {
        var quote = text[at];
        for (at++; at < text.Length; at++)
        {
            if (text[at] == '\\')
            {
                at++;
            }
            else if (text[at] == quote)
            {
                return at + 1;
            }
        }

        return text.Length;
    }

    private static int EndOfValue(string text, int at)
    {
        var depth = 0;
        while (at < text.Length)
        {
            switch (text[at])
            {
                case '"' or '\'':
                    at = EndOfString(text, at);
                    break;
                case '{' or '[':
                    depth++;
                    at++;
                    break;
                case '}' or ']' when depth > 0:
                    depth--;
                    at++;
                    break;
                case '}' or ']' or ',' when depth == 0:
                    return at;
                default:
                    at++;
                    continue;
            }

            if (depth == 0)
            {
                return at;
            }
        }

        return at;
    }
}
