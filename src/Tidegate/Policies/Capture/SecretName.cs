namespace Tidegate.Policies.Capture;

/// <summary>Tells names of what nobody should read again from others.</summary>
internal static class SecretName
{
    // Parts of names without what stands between their words: whoever calls something so means a secret, or somebody's money.
    private static readonly string[] Parts =
    [
        "password", "passwd", "passphrase", "passcode", "passkey", "pwd", "secret", "token", "apikey", "accesskey", "privatekey", "masterkey", "encryptionkey", "signingkey", "authorization", "credential", "cookie",
        "signature", "session", "assertion", "saml", "codeverifier", "devicecode", "cardnumber", "cardcv",
    ];

    // Words of names, which as parts of others mean something else: an address_name has no ssn.
    private static readonly string[] Words = ["pass", "otp", "totp", "mfa", "pin", "pan", "jwt", "ssn", "iban", "cvv", "cvc"];

    /// <summary>However its words are joined: card[number], otp_code, newPin, DB-PASS and cvv2.</summary>
    public static bool Is(string name)
    {
        if (name.EndsWith("-key", StringComparison.OrdinalIgnoreCase) || name.EndsWith("_key", StringComparison.OrdinalIgnoreCase) || name.EndsWith("Key", StringComparison.Ordinal))
        {
            return true;
        }

        var plain = string.Concat(name.Where(char.IsAsciiLetterOrDigit)).ToLowerInvariant();

        // As a word among others it says how, and is no secret: auth_type.
        return plain == "auth" || Parts.Any(part => plain.Contains(part, StringComparison.Ordinal)) || HasWord(name);
    }

    private static bool HasWord(ReadOnlySpan<char> name)
    {
        for (var begin = 0; begin < name.Length;)
        {
            var end = EndOfWord(name, begin);
            foreach (var word in Words)
            {
                if (name[begin..end].Equals(word, StringComparison.OrdinalIgnoreCase))
                {
                    return true;
                }
            }

            begin = end;
        }

        return false;
    }

    /// <summary>A word ends where letters do, before a capital behind a small letter, and before the last of several capitals when a small letter follows: OTPCode is OTP and Code.</summary>
    private static int EndOfWord(ReadOnlySpan<char> name, int at)
    {
        if (!char.IsAsciiLetter(name[at]))
        {
            return at + 1;
        }

        for (at++; at < name.Length && char.IsAsciiLetter(name[at]); at++)
        {
            var isNext = char.IsAsciiLetterUpper(name[at]) && (char.IsAsciiLetterLower(name[at - 1]) || (at + 1 < name.Length && char.IsAsciiLetterLower(name[at + 1])));
            if (isNext)
            {
                return at;
            }
        }

        return at;
    }
}
