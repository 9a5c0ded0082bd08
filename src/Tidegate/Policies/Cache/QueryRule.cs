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

    /// <summary>Whether a parameter stays.</summary>
    public bool Keeps(string name) => Ignore?.Contains(name) != true && Allow?.Contains(name) != false;

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
            var equals = parameter.IndexOf('=');
            if (Keeps((equals < 0 ? parameter : parameter[..equals]).ToString()))
            {
                reduced.Append(reduced.Length == question ? '?' : '&').Append(parameter);
            }
        }

        return reduced.ToString();
    }
}
