using System.Text;

namespace Tidegate.Policies.Capture;

/// <summary>Takes away what nobody should read again: values of fields, of JSON members and of form parameters whose names say that they are secret, and values that look like one.</summary>
internal sealed class Redaction
{
    /// <summary>Stands for what was taken away.</summary>
    public const string Mask = "***";

    // Parts of names without what stands between their words: whoever calls something so means a secret, or somebody's money.
    private static readonly string[] SecretParts =
    [
        "password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "apikey", "accesskey", "privatekey", "authorization", "credential", "cookie", "signature", "session", "assertion", "codeverifier",
        "cardnumber", "cvv", "cvc", "iban", "ssn",
    ];

    // Whole names, which as parts of others mean something else.
    private static readonly string[] SecretNames = ["pass", "otp", "totp", "pin", "auth", "pan", "jwt"];

    // Where OAuth and keys in addresses have them. In JSON a code is an error's, and a key a thing's.
    private static readonly string[] SecretParameters = ["code", "key", "sig", "hmac"];

    private readonly string[] _names;

    /// <param name="more">Names beside those that are known, in any case; exactly these.</param>
    public Redaction(IEnumerable<string> more) => _names = [.. more];

    /// <summary>Whether values under this name are taken away.</summary>
    public bool IsSecret(string name)
    {
        if (_names.Contains(name, StringComparer.OrdinalIgnoreCase) || name.EndsWith("-key", StringComparison.OrdinalIgnoreCase) || name.EndsWith("_key", StringComparison.OrdinalIgnoreCase) || name.EndsWith("Key", StringComparison.Ordinal))
        {
            return true;
        }

        // card[number], api-key and apiKey are one name each.
        var plain = string.Concat(name.Where(char.IsAsciiLetterOrDigit)).ToLowerInvariant();
        return SecretNames.Contains(plain) || SecretParts.Any(part => plain.Contains(part, StringComparison.Ordinal));
    }

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
        var begin = text.AsSpan().TrimStart("\uFEFF \t\r\n");
        if (type.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase))
        {
            return Events(text);
        }

        if (type.Contains("json", StringComparison.OrdinalIgnoreCase))
        {
            return begin.IsEmpty || begin[0] is '{' or '[' or '"' or '-' or (>= '0' and <= '9') || IsLiteral(begin) ? new JsonRedaction(this).Redact(text) : null;
        }

        return type.StartsWith("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase) && !(begin.Length > 0 && begin[0] is '{' or '[' or '<') ? Form(text) : null;
    }

    /// <summary>Values of parameters, in a query or a form.</summary>
    public string Form(string text) => string.Join('&', text.Split('&').Select(Parameter));

    /// <summary>Whether a value shows by itself that it is a secret: a signed token, a credential with its scheme, or the number of a card.</summary>
    public static bool LooksSecret(ReadOnlySpan<char> value) =>
        (value.Length > 20 && value.StartsWith("eyJ", StringComparison.Ordinal) && value.Contains('.'))
        || value.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
        || value.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase)
        || IsCardNumber(value);

    private string Parameter(string parameter)
    {
        if (parameter.IndexOf('=', StringComparison.Ordinal) is not (>= 0 and var equals))
        {
            return parameter;
        }

        var name = Unescape(parameter[..equals]);
        var value = Unescape(parameter[(equals + 1)..]);
        return IsSecret(name) || SecretParameters.Contains(name.ToLowerInvariant()) || LooksSecret(value) || HidesSecret(value) ? parameter[..(equals + 1)] + Mask : parameter;
    }

    /// <summary>Whether text is JSON in which something would be masked.</summary>
    internal bool HidesSecret(string value) => value.AsSpan().TrimStart() is ['{' or '[', ..] && new JsonRedaction(this).Redact(value) != value;

    private static string Unescape(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));

    /// <summary>What is no JSON in an event is text that nobody can look through.</summary>
    private string Events(string text) => string.Join('\n', text.Split('\n').Select(line =>
    {
        var content = line.AsSpan();
        if (!content.StartsWith("data:", StringComparison.Ordinal))
        {
            return line;
        }

        var data = content["data:".Length..].TrimStart();
        return data.IsEmpty || data.StartsWith("[DONE]", StringComparison.Ordinal) ? line
            : data[0] is '{' or '[' or '"' ? new JsonRedaction(this).Redact(line)
            : string.Concat(line.AsSpan(0, line.Length - data.Length), Mask);
    }));

    private static bool IsLiteral(ReadOnlySpan<char> text)
    {
        foreach (var literal in (ReadOnlySpan<string>)["true", "false", "null"])
        {
            if (text.TrimEnd().SequenceEqual(literal))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>13 to 19 digits, perhaps in groups, with the check digit of ISO/IEC 7812.</summary>
    private static bool IsCardNumber(ReadOnlySpan<char> value)
    {
        var (digits, even, odd) = (0, 0, 0);
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

            var digit = value[i] - '0';
            odd += digits % 2 == 1 ? digit : 0;
            even += digits % 2 == 0 ? (digit * 2 / 10) + (digit * 2 % 10) : 0;
        }

        return digits >= 13 && (odd + even) % 10 == 0;
    }
}
