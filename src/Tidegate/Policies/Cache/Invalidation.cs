using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>
/// What a successful request with an unsafe method makes invalid (RFC 9111 4.4): its own URL, those that Location and Content-Location name in the same origin,
/// and groups (RFC 9875 3).
/// </summary>
internal static class Invalidation
{
    /// <summary>Purges them.</summary>
    /// <param name="exchange">The request, with its answer on it.</param>
    /// <param name="cache">Where.</param>
    /// <param name="settings">Of the route.</param>
    /// <param name="isReplaced">What was kept of its own URL is purged already, for the answer that takes its place.</param>
    public static void Apply(Exchange exchange, HttpCache cache, CacheSettings settings, bool isReplaced)
    {
        if (exchange.ResponseStatus is < 200 or >= 400)
        {
            return;
        }

        var target = exchange.Target;
        var own = target.Authority + target.PathAndQuery;
        if (!isReplaced)
        {
            Purge(cache, settings, own);
        }

        var fields = exchange.ResponseHeaders;
        for (var i = 0; i < fields.Count; i++)
        {
            var field = fields[i];
            if (field.Known is KnownHeader.Location or KnownHeader.ContentLocation && SameOrigin(exchange, Encoding.Latin1.GetString(field.Value)) is { } url && url != own)
            {
                Purge(cache, settings, url);
            }
            else if (field.Known == KnownHeader.None && Ascii.EqualsIgnoreCase(field.Name, "Cache-Group-Invalidation"u8))
            {
                foreach (var group in AnswerTags.Groups(field.Value))
                {
                    cache.Epochs.Purge(CacheKey.OfGroup(cache.Secret, AnswerTags.Origin(target), group));
                }
            }
        }
    }

    private static void Purge(HttpCache cache, CacheSettings settings, string url)
    {
        cache.Counters.CountInvalidation();
        cache.Epochs.Purge(CacheKey.OfUrl(cache.Secret, url));
        foreach (var query in settings.ApiQueries)
        {
            if (!query.IsWhole)
            {
                cache.Epochs.Purge(CacheKey.OfUrl(cache.Secret, query.Reduce(url)));
            }
        }
    }

    /// <summary>What a reference names, as keys have it; null when it is another origin's.</summary>
    internal static string? SameOrigin(Exchange exchange, string reference)
    {
        var target = exchange.Target;

        // In base-URL mode links were made to lead back to the gateway.
        if (exchange.BasePath is { } basePath && exchange.BaseOrigin is { } origin)
        {
            var prefix = origin + (basePath == "/" ? "" : basePath);
            reference = reference.StartsWith(prefix, StringComparison.OrdinalIgnoreCase) ? reference[prefix.Length..] : reference;
        }

        return Uri.TryCreate(AnswerTags.Origin(target) + target.PathAndQuery, UriKind.Absolute, out var from) && Uri.TryCreate(from, reference, out var to)
            && to.Scheme == target.Scheme && to.Authority == from.Authority
            ? target.Authority + to.PathAndQuery
            : null;
    }
}
