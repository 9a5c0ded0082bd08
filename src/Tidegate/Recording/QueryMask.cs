using System.Text;

namespace Tidegate.Recording;

/// <summary>Keeps the names of a query's parameters and masks their values: keys and personal data travel there.</summary>
internal static class QueryMask
{
    // A record is not the place for a long query; what is cut is marked.
    private const int MaxLength = 1024;

    public static string? Mask(string? query)
    {
        if (string.IsNullOrEmpty(query))
        {
            return query;
        }

        var result = new StringBuilder();
        foreach (var part in query.AsSpan().Split('&'))
        {
            var pair = query.AsSpan(part);

            // What ends in "=" and has no other may be a padded token that stands without a name.
            var equals = pair.TrimEnd('=').IndexOf('=') is >= 0 and var named ? named : -1;
            result.Append(result.Length == 0 ? "" : "&").Append(equals < 0 ? "***" : pair[..equals]).Append(equals < 0 ? "" : "=***");
            if (result.Length > MaxLength)
            {
                return result.ToString(0, MaxLength) + "...";
            }
        }

        return result.ToString();
    }
}
