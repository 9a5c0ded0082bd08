using System.Buffers;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>What the name of a request field says that nobody has listed.</summary>
internal static class FieldNames
{
    private const int MaxCompared = 128;

    // Whoever carries a secret calls it so. A field too many costs a hit, a field too few gives one caller's answer to another.
    private static readonly SearchValues<string> CredentialParts = SearchValues.Create(
        ["key", "token", "auth", "secret", "session", "signature", "cookie", "credential", "password", "jwt", "bearer"], StringComparison.OrdinalIgnoreCase);

    // X-HubSpot-RateLimit-Remaining, anthropic-ratelimit-tokens-reset: whoever tells it in a field of his own calls it so, nearly always.
    private static readonly SearchValues<string> AllowanceParts = SearchValues.Create(["ratelimit", "rate-limit", "rate_limit"], StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether an answer's field tells, by its name, how much somebody may still call.</summary>
    public static bool IsAllowance(ReadOnlySpan<byte> name)
    {
        Span<char> text = stackalloc char[byte.MaxValue];
        return name.Length <= text.Length && text[..Encoding.Latin1.GetChars(name, text)].ContainsAny(AllowanceParts);
    }

    /// <summary>Whether a field carries what tells one caller from another.</summary>
    public static bool IsCredential(HeaderField field) =>
        field.Known is KnownHeader.Authorization or KnownHeader.Cookie or KnownHeader.XApiKey || (field.Known == KnownHeader.None && IsCredential(field.Name));

    /// <summary>Whether a field carries, by its name, what tells one caller from another.</summary>
    public static bool IsCredential(ReadOnlySpan<byte> name)
    {
        if (name.Length > MaxCompared)
        {
            return true;
        }

        Span<char> text = stackalloc char[MaxCompared];
        var length = Encoding.Latin1.GetChars(name, text);
        return text[..length].ContainsAny(CredentialParts);
    }

    /// <summary>Whether two names are one to a service that cannot tell a hyphen from an underscore, as CGI and its heirs cannot (RFC 3875 4.1.18).</summary>
    public static bool AreSame(ReadOnlySpan<byte> one, ReadOnlySpan<byte> other)
    {
        if (one.Length != other.Length)
        {
            return false;
        }

        for (var i = 0; i < one.Length; i++)
        {
            if (one[i] != other[i] && Folded(one[i]) != Folded(other[i]))
            {
                return false;
            }
        }

        return true;
    }

    private static byte Folded(byte letter) => letter switch
    {
        (byte)'_' => (byte)'-',
        >= (byte)'A' and <= (byte)'Z' => (byte)(letter | 0x20),
        _ => letter,
    };
}
