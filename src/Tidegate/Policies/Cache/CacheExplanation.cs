using System.Globalization;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>What the cache has for a request, and whether it would use that.</summary>
internal static class CacheExplanation
{
    /// <summary>The key of a request; null where it has none.</summary>
    public static CacheKey? KeyOf(Exchange exchange, CacheSettings settings, CacheKeyParts route, ReadOnlySpan<byte> content) =>
        content.Length > KeyedContent.MaxBytes ? null : CacheKey.Of(exchange, settings, route, content);

    /// <summary>In a line.</summary>
    /// <param name="exchange">What would be asked.</param>
    /// <param name="settings">Of its route.</param>
    /// <param name="cache">What is stored.</param>
    /// <param name="route">What of the key is the same for each exchange of the route.</param>
    /// <param name="content">The request's.</param>
    /// <param name="onDisk">What the disk has for it, without its content; null when nothing, or when nobody looked.</param>
    public static PolicyExplanation Of(Exchange exchange, CacheSettings settings, HttpCache cache, CacheKeyParts route, ReadOnlyMemory<byte> content, StoredAnswer? onDisk)
    {
        if (exchange.IsTunnel || exchange.UpgradeProtocol is not null)
        {
            return new PolicyExplanation("skipped: a tunnel or upgrade has no answer to store");
        }

        var isKeyedPost = settings.KeysBody && exchange.Method == "POST";
        if (exchange.Method is not ("GET" or "HEAD") && !isKeyedPost)
        {
            return new PolicyExplanation($"{exchange.Method} is forwarded; when it succeeds, what is stored of this URL is invalid");
        }

        if (settings.Mode == CacheMode.Off)
        {
            return new PolicyExplanation("off");
        }

        var request = RequestTerms.Read(exchange, settings, isKeyedPost);
        if (request.Bypass is not null || KeyOf(exchange, settings, route, content.Span) is not { } key)
        {
            return new PolicyExplanation($"bypassed: {request.Bypass ?? (content.Length > KeyedContent.MaxBytes ? "content-too-large" : "key-too-large")}");
        }

        var whose = settings.Partition switch
        {
            CachePartition.None => "shared by all callers",
            CachePartition.Consumer => $"kept for consumer {exchange.Consumer.Name}",
            _ => key.IsPrivate ? "kept for calls with the same credential" : "shared by calls without a credential",
        };
        var text = $"{(settings.Mode == CacheMode.Observe ? "observes, " : "")}key {(ulong)(key.Value >> 64):x16} ({whose})";
        if ((cache.Store.Find(key.Value, exchange.RequestHeaders, out var hasOthers) ?? onDisk) is { } stored)
        {
            var where = stored == onDisk ? " on disk" : "";
            var vary = stored.Vary.IsEmpty ? "" : $", varies by {VaryKey.Describe(stored.Vary)}";
            return new PolicyExplanation($"{text}; stored{where} {stored.Status} of {stored.Content.TotalLength} bytes{vary}, {Verdict(stored, key, exchange, request, cache)}");
        }

        if (cache.Store.Find(CacheKey.OfParts(key.Value), exchange.RequestHeaders, out _) is { Content.Parts: { } parts } held)
        {
            return new PolicyExplanation($"{text}; {parts.HeldBytes} of {parts.Total} bytes stored, {Verdict(held, key, exchange, request, cache)}");
        }

        return new PolicyExplanation(text + (hasOthers ? "; stored for other requests only" : "; nothing stored"));
    }

    private static string Verdict(StoredAnswer stored, in CacheKey key, Exchange exchange, in RequestTerms request, HttpCache cache)
    {
        var now = cache.Time.GetTimestamp();
        var use = request.Control.NoStore ? "not looked for, because the request says no-store"
            : cache.Epochs.IsPurged(stored, key, exchange.Target, now) ? "purged, so the upstream is asked"
            : stored.Content.Parts is null ? OfWhole(stored.UseFor(request.Control, now, cache.Time), stored.HasValidator)
            : OfParts(stored.UseFor(request.Control, now, cache.Time));
        return string.Create(CultureInfo.InvariantCulture, $"age {stored.Age(now, cache.Time).TotalSeconds:0} s, fresh for {stored.FreshFor(now, cache.Time).TotalSeconds:0} s: {use}");
    }

    private static string OfWhole(StoredUse use, bool hasValidator) => use switch
    {
        StoredUse.Fresh => "fresh, used as it is",
        StoredUse.Stale => "stale, used as it is because the request takes stale answers",
        StoredUse.StaleWhileRevalidate => "stale, used as it is while the upstream is asked behind it",
        StoredUse.ValidateForRequest => "not used, because the request wants a newer one; the upstream is asked",
        _ => hasValidator ? "not used before the upstream has confirmed it" : "not used, because it is stale and has nothing to be confirmed by; the upstream is asked",
    };

    /// <summary>Nobody validates parts.</summary>
    private static string OfParts(StoredUse use) => use switch
    {
        StoredUse.Fresh => "fresh, used for ranges within, and for the ends of others",
        StoredUse.Stale => "stale, used for ranges within because the request takes stale answers",
        StoredUse.ValidateForRequest => "not used, because the request wants newer ones; the upstream is asked",
        _ => "not used, because they are stale; the upstream is asked",
    };
}
