using System.Net;
using System.Text;

namespace Tidegate.Policies.Cache;

/// <summary>Which parameters of a query tell answers apart.</summary>
/// <param name="Ignore">These do not; null when all do that are allowed.</param>
/// <param name="Allow">Only these do; null when all do that are not ignored.</param>
internal sealed record QueryRule(IReadOnlySet<string>? Ignore, IReadOnlySet<string>? Allow)
{
    /// <summary>The query as it is.</summary>
    public static readonly QueryRule Whole = new(null, null);

    public bool IsWhole => Ignore is null && Allow is null;

    /// <summary>
    /// Whether a parameter stays. Services read one in many ways, and what one of them could take for a parameter that matters stays: a name may be
    /// percent-encoded, a semicolon may separate parameters, and for those that are allowed neither case nor an index in brackets tells names apart.
    /// </summary>
    /// <param name="parameter">Between two ampersands: name, equals sign, value.</param>
    public bool Keeps(ReadOnlySpan<char> parameter)
    {
        foreach (var range in parameter.Split(';'))
        {
            var piece = parameter[range];
            var equals = piece.IndexOf('=');
            if (KeepsName(equals < 0 ? piece : piece[..equals]))
            {
                return true;
            }
        }

        return false;
    }

    private bool KeepsName(ReadOnlySpan<char> written)
    {
        var name = written.ToString();
        if (written.ContainsAny('%', '+'))
        {
            // What is no valid encoding is left alone, as most services do.
            name = WebUtility.UrlDecode(name);
        }

        if (Ignore?.Contains(name) == true)
        {
            return false;
        }

        if (Allow is null || Allow.Contains(name))
        {
            return true;
        }

        var bracket = name.IndexOf('[', StringComparison.Ordinal);
        name = (bracket < 0 ? name : name[..bracket]).Trim();
        foreach (var allowed in Allow)
        {
            if (string.Equals(allowed, name, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>A URL with the parameters that stay.</summary>
    public string Reduce(string url)
    {
        var question = url.IndexOf('?', StringComparison.Ordinal);
        if (IsWhole || question < 0)
        {
            return url;
        }

        var reduced = new StringBuilder(url, 0, question, url.Length);
        foreach (var range in url.AsSpan(question + 1).Split('&'))
        {
            var parameter = url.AsSpan(question + 1)[range];
            if (Keeps(parameter))
            {
                reduced.Append(reduced.Length == question ? '?' : '&').Append(parameter);
            }
        }

        return reduced.ToString();
    }
}
