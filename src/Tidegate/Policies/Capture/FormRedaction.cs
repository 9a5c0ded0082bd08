namespace Tidegate.Policies.Capture;

/// <summary>Copies a form without the values of secret parameters.</summary>
internal readonly struct FormRedaction(Redaction redaction)
{
    // A flag is a short word; what is longer without a name may be a secret by itself.
    private const int LongestFlag = 16;

    // Where OAuth and keys in addresses have them. In JSON a code is an error's, and a key a thing's.
    private static readonly string[] SecretParameters = ["code", "key", "sig", "hmac"];

    /// <summary>Null for what only says that it is a form.</summary>
    public string? Redact(string text)
    {
        var form = text.TrimEnd();
        return form.Length == 0 ? text : IsForm(form) ? string.Join('&', text.Split('&').Select(Parameter)) : null;
    }

    /// <summary>Not a line of a file, a key alone, or text: nothing in them says what is secret.</summary>
    private static bool IsForm(string form)
    {
        var name = form.AsSpan(0, Math.Max(0, form.AsSpan().IndexOfAny('=', '&')));
        return form.Contains('=', StringComparison.Ordinal) && !form.Any(char.IsControl) && form[0] is not '[' && !name.ContainsAny(" :'\"{<") && !IsPadded(form);
    }

    /// <summary>A key in Base64: what looks like a name's end only fills it up.</summary>
    private static bool IsPadded(ReadOnlySpan<char> form) => form.TrimEnd('=') is var rest && rest.Length > LongestFlag && !rest.ContainsAny('=', '&');

    private string Parameter(string parameter)
    {
        var equals = parameter.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0)
        {
            return parameter.Length <= LongestFlag && parameter.TrimEnd().All(char.IsAsciiLetter) ? parameter : Redaction.Mask;
        }

        var name = Unescape(parameter[..equals]);
        var value = Unescape(parameter[(equals + 1)..]);
        return Redaction.LooksSecret(name) ? Redaction.Mask
            : redaction.IsSecret(name) || SecretParameters.Contains(name.ToLowerInvariant()) || Redaction.LooksSecret(value) || redaction.HidesSecret(value) ? parameter[..(equals + 1)] + Redaction.Mask
            : parameter;
    }

    private static string Unescape(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));
}
