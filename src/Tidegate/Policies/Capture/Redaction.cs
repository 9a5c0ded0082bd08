using System.Text;

namespace Tidegate.Policies.Capture;

/// <summary>Takes away what nobody should read again: values of fields, of JSON members and of form parameters whose names say that they are secret, and values that look like one.</summary>
internal sealed class Redaction
{
    /// <summary>Stands for what was taken away.</summary>
    public const string Mask = "***";

    private readonly string[] _names;

    /// <param name="more">Names beside those that are known, in any case; exactly these.</param>
    public Redaction(IEnumerable<string> more) => _names = [.. more];

    /// <summary>Whether values under this name are taken away.</summary>
    public bool IsSecret(string name) => _names.Contains(name, StringComparer.OrdinalIgnoreCase) || SecretName.Is(name);

    /// <summary>Content without its secrets; null for content that cannot be looked through, or is not what its type says.</summary>
    /// <param name="type">Its Content-Type.</param>
    /// <param name="content">Perhaps only its beginning.</param>
    public string? Content(string type, ReadOnlySpan<byte> content)
    {
        if (content.Contains((byte)0))
        {
            // Another encoding than UTF-8: names would not be found in it.
            return null;
        }

        var text = Encoding.UTF8.GetString(content);
        text = text.StartsWith('\uFEFF') ? text[1..] : text;

        // Parameters are anybody's: a boundary may be called json.
        var media = type.AsSpan(0, type.AsSpan().IndexOf(';') is >= 0 and var end ? end : type.Length).Trim();
        return media.Equals("text/event-stream", StringComparison.OrdinalIgnoreCase) ? new EventRedaction(this).Redact(text)
            : media.Equals("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase) ? new FormRedaction(this).Redact(text)
            : IsJson(media) && BeginsJson(text.AsSpan().TrimStart("\u001E \t\r\n")) ? new JsonRedaction(this).Redact(text)
            : null;
    }

    /// <summary>Whether a value shows by itself that it is a secret: a signed token, a credential with its scheme, or the number of a card.</summary>
    public static bool LooksSecret(ReadOnlySpan<char> value) =>
        (value.Length > 20 && value.StartsWith("eyJ", StringComparison.Ordinal) && value.Contains('.'))
        || value.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
        || value.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase)
        || IsCardNumber(value);

    /// <summary>Whether text is JSON in which something would be masked.</summary>
    internal bool HidesSecret(string value) => value.AsSpan().TrimStart() is ['{' or '[', ..] && new JsonRedaction(this).Redact(value) != value;

    /// <summary>JSON, several of them one behind the other (RFC 7464, and a line each), or what is written as JSON (RFC 6839).</summary>
    private static bool IsJson(ReadOnlySpan<char> media)
    {
        var kind = media[(media.IndexOf('/') + 1)..];
        return kind.EndsWith("+json", StringComparison.OrdinalIgnoreCase)
            || kind.StartsWith("x-amz-json-", StringComparison.OrdinalIgnoreCase)
            || kind.Equals("json", StringComparison.OrdinalIgnoreCase)
            || kind.Equals("json-seq", StringComparison.OrdinalIgnoreCase)
            || kind.Equals("ndjson", StringComparison.OrdinalIgnoreCase)
            || kind.Equals("x-ndjson", StringComparison.OrdinalIgnoreCase);
    }

    private static bool BeginsJson(ReadOnlySpan<char> text) =>
        text is [] or ['{' or '[' or '"' or (>= '0' and <= '9'), ..] or ['-', >= '0' and <= '9', ..] || text.TrimEnd() is "true" or "false" or "null";

    /// <summary>13 to 19 digits, perhaps in groups, with the check digit of ISO/IEC 7812, and the first one of a bank's: times in milliseconds begin otherwise.</summary>
    private static bool IsCardNumber(ReadOnlySpan<char> value)
    {
        var (digits, even, odd, first) = (0, 0, 0, 0);
        for (var i = value.Length - 1; i >= 0; i--)
        {
            if (value[i] is ' ' or '-')
            {
                continue;
            }

            if (!char.IsAsciiDigit(value[i]) || ++digits > 19)
            {
                return false;
            }

            var digit = first = value[i] - '0';
            odd += digits % 2 == 1 ? digit : 0;
            even += digits % 2 == 0 ? (digit * 2 / 10) + (digit * 2 % 10) : 0;
        }

        return digits >= 13 && (first is >= 3 and <= 6 || (first == 2 && digits == 16)) && (odd + even) % 10 == 0;
    }
}
