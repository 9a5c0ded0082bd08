using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Forwarding;

/// <summary>
/// In base-URL mode, turns links that point into the API (Location, Content-Location, Link) into links through the gateway, so that a
/// caller who follows them, to the next page for example, stays inside.
/// </summary>
internal static class LinkRewriter
{
    public static void Rewrite(Exchange exchange)
    {
        var headers = exchange.ResponseHeaders;
        for (var i = headers.Count - 1; i >= 0; i--)
        {
            if (headers[i].Known is KnownHeader.Location or KnownHeader.ContentLocation or KnownHeader.Link)
            {
                var known = headers[i].Known;
                var value = Encoding.Latin1.GetString(headers[i].Value);
                var rewritten = known == KnownHeader.Link ? RewriteLinks(value, exchange) : RewriteReference(value, exchange);
                if (!ReferenceEquals(value, rewritten))
                {
                    headers.RemoveAt(i);
                    headers.Add(known, rewritten);
                }
            }
        }
    }

    /// <summary>One URI reference; returned as it is when it leads elsewhere or is relative to the request's own path.</summary>
    internal static string RewriteReference(string reference, Exchange exchange)
    {
        var prefix = exchange.BaseOrigin + (exchange.BasePath == "/" ? "" : exchange.BasePath);
        if (reference.StartsWith('/') && !reference.StartsWith("//", StringComparison.Ordinal))
        {
            return prefix + reference;
        }

        var origin = $"{exchange.Target.Scheme}://{exchange.Target.Authority}";
        if (!reference.StartsWith(origin, StringComparison.OrdinalIgnoreCase))
        {
            return reference;
        }

        var rest = reference[origin.Length..];
        return rest.Length == 0 || rest[0] is '/' or '?' or '#' ? prefix + rest : reference;
    }

    /// <summary>Every <c>&lt;reference&gt;</c> of a Link field (RFC 8288 3); angle brackets inside quoted parameters are left alone.</summary>
    private static string RewriteLinks(string value, Exchange exchange)
    {
        var result = new StringBuilder();
        var changed = false;
        var quoted = false;
        for (var i = 0; i < value.Length; i++)
        {
            if (value[i] == '"' && (i == 0 || value[i - 1] != '\\'))
            {
                quoted = !quoted;
            }

            var end = value[i] == '<' && !quoted ? value.IndexOf('>', i) : -1;
            if (end < 0)
            {
                result.Append(value[i]);
                continue;
            }

            var reference = value[(i + 1)..end];
            var rewritten = RewriteReference(reference, exchange);
            changed |= !ReferenceEquals(reference, rewritten);
            result.Append('<').Append(rewritten).Append('>');
            i = end;
        }

        return changed ? result.ToString() : value;
    }
}
