using System.Text;

namespace Tidegate.Policies.Capture;

/// <summary>Takes away what nobody should read again: values of fields, of JSON members and of form parameters whose names say that they are secret.</summary>
internal sealed class Redaction
{
    /// <summary>Stands for what was taken away.</summary>
    public const string Mask = "***";

    // Parts of names: whoever calls something so means a secret, or somebody's money.
    private static readonly string[] Secret = ["password", "passwd", "secret", "token", "apikey", "api_key", "api-key", "access_key", "private_key", "authorization", "cookie", "signature", "session", "card_number", "cvv", "cvc", "iban", "ssn"];

    private readonly string[] _names;

    /// <param name="more">Names beside those that are known, in any case; exactly these.</param>
    public Redaction(IEnumerable<string> more) => _names = [.. more];

    /// <summary>Whether values under this name are taken away.</summary>
    public bool IsSecret(string name)
    {
        foreach (var part in Secret)
        {
            if (name.Contains(part, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return name.EndsWith("-key", StringComparison.OrdinalIgnoreCase) || _names.Contains(name, StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>Content without its secrets; null for content that cannot be looked through.</summary>
    /// <param name="type">Its Content-Type.</param>
    /// <param name="content">Perhaps only its beginning.</param>
    public string? Content(string type, ReadOnlySpan<byte> content)
    {
        if (type.Contains("json", StringComparison.OrdinalIgnoreCase) || type.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase))
        {
            return Json(Encoding.UTF8.GetString(content));
        }

        return type.StartsWith("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase) ? Form(Encoding.UTF8.GetString(content)) : null;
    }

    /// <summary>Values of parameters, in a query or a form.</summary>
    public string Form(string text) => string.Join('&', text.Split('&').Select(parameter =>
        parameter.IndexOf('=', StringComparison.Ordinal) is >= 0 and var equals && IsSecret(Uri.UnescapeDataString(parameter[..equals])) ? parameter[..(equals + 1)] + Mask : parameter));

    /// <summary>Reads along and copies, whole or not, JSON or nearly; the value of a secret member is left out to its end, whatever it is.</summary>
    private string Json(string text)
    {
        var kept = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length;)
        {
            if (text[i] != '"')
            {
                kept.Append(text[i++]);
                continue;
            }

            var end = EndOfString(text, i);
            kept.Append(text, i, end - i);
            var colon = SkipSpace(text, end);
            if (colon < text.Length && text[colon] == ':' && IsSecret(text[(i + 1)..Math.Max(i + 1, end - 1)]))
            {
                var value = SkipSpace(text, colon + 1);
                kept.Append(text, end, value - end).Append('"').Append(Mask).Append('"');
                end = EndOfValue(text, value);
            }

            i = end;
        }

        return kept.ToString();
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
        for (at++; at < text.Length; at++)
        {
            if (text[at] == '\\')
            {
                at++;
            }
            else if (text[at] == '"')
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
                case '"':
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
