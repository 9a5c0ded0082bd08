using System.Buffers;

namespace Tidegate.Configuration;

/// <summary>Whether a configuration's text can be the name of a field that the gateway writes.</summary>
internal static class FieldNameCheck
{
    // RFC 9110 5.6.2.
    private static readonly SearchValues<char> Token = SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    // RFC 9110 7.6.1, RFC 9112 6: two authors of these, and what is sent is not what is read.
    private static readonly HashSet<string> OfTheMessage = new(StringComparer.OrdinalIgnoreCase)
    {
        "Connection", "Content-Length", "Host", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
    };

    /// <summary>What is wrong with it; null when nothing is.</summary>
    public static string? ProblemOf(string name) =>
        name.Length == 0 || name.AsSpan().ContainsAnyExcept(Token) ? $"'{name}' is no name of a field; write letters, digits and hyphens, for example X-Api-Key"
        : OfTheMessage.Contains(name) ? $"'{name}' says how a message is sent, and the gateway writes it itself; write another field"
        : null;
}
