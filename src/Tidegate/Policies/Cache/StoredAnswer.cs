using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>How a stored answer may be used for a request.</summary>
internal enum StoredUse
{
    /// <summary>As it is.</summary>
    Fresh,

    /// <summary>As it is, because the request takes stale answers.</summary>
    Stale,

    /// <summary>As it is, while the upstream is asked in the background (RFC 5861 3).</summary>
    StaleWhileRevalidate,

    /// <summary>Only after the upstream was asked, because it is stale or says so.</summary>
    Validate,

    /// <summary>Only after the upstream was asked, because the request wants that.</summary>
    ValidateForRequest,
}

/// <summary>One answer in the store. What it says never changes; a validation makes another one over the same content.</summary>
internal sealed class StoredAnswer
{
    // What an entry costs beside its head and content: this object, its content's, three arrays' headers and its place in the index.
    private const int OverheadBytes = 448;

    public required UInt128 Key { get; init; }

    /// <summary>Its URL's place among the epochs, in every partition the same.</summary>
    public required ulong Url { get; init; }

    /// <summary>Its API's and its partition's place.</summary>
    public required ulong Api { get; init; }

    public required ulong Partition { get; init; }

    /// <summary>Tags and groups; null when there are none.</summary>
    public ulong[]? Tags { get; init; }

    public required int Status { get; init; }

    public required byte[] Head { get; init; }

    public required StoredContent Content { get; init; }

    public byte[]? Vary { get; init; }

    public required AnswerTerms Terms { get; init; }

    /// <summary>The timestamp at which it came or was last validated.</summary>
    public required long Received { get; init; }

    /// <summary>The epoch in which it was asked for: what was purged later is not it.</summary>
    public required long Epoch { get; set; }

    /// <summary>The last epoch in which it was known not to be purged.</summary>
    public long CheckedEpoch { get; set; }

    public bool IsSoftPurged { get; set; }

    /// <summary>The last timestamp at which it was seen not to be purged; 0 before the first look.</summary>
    public long SeenGood { get; set; }

    /// <summary>What it weighs.</summary>
    public long Bytes => OverheadBytes + Head.Length + (Vary?.Length ?? 0) + (Tags?.Length ?? 0) * sizeof(ulong) + Content.Length;

    // The store's, changed under its shard's lock.
    public StoredAnswer? NextVariant { get; set; }

    public StoredAnswer? Newer { get; set; }

    public StoredAnswer? Older { get; set; }

    public byte Frequency { get; set; }

    public AnswerQueue? Queue { get; set; }

    public TimeSpan Age(long now, TimeProvider time) => Terms.InitialAge + time.GetElapsedTime(Received, now);

    /// <summary>How long it is fresh yet; negative when it is stale. A soft purge made it stale, at the earliest, when it was last seen to be none.</summary>
    public TimeSpan FreshFor(long now, TimeProvider time)
    {
        var freshFor = Terms.Lifetime - Age(now, time);
        if (!IsSoftPurged)
        {
            return freshFor;
        }

        var purged = -time.GetElapsedTime(SeenGood == 0 ? Received : SeenGood, now);
        return purged < freshFor ? purged : freshFor;
    }

    public bool HasValidator => StoredHead.TryGet(Head, KnownHeader.ETag, out _) || StoredHead.TryGet(Head, KnownHeader.LastModified, out _);

    /// <summary>Whether it may be used for a request (RFC 9111 4 and 5.2.1).</summary>
    public StoredUse UseFor(in CacheControl request, long now, TimeProvider time)
    {
        var age = Age(now, time);
        var freshFor = FreshFor(now, time);
        var isFresh = freshFor > TimeSpan.Zero;
        if (Terms.NeedsValidation)
        {
            return StoredUse.Validate;
        }

        // RFC 8246: a reload of what never changes needs no question. Who wants to be sure says no-cache.
        var isReload = request is { MaxAge: 0, NoCache: false } && Terms.IsImmutable && isFresh;
        if (request.NoCache || (request.MaxAge != CacheControl.Absent && age > TimeSpan.FromSeconds(request.MaxAge) && !isReload))
        {
            return StoredUse.ValidateForRequest;
        }

        if (request.MinFresh != CacheControl.Absent && freshFor < TimeSpan.FromSeconds(request.MinFresh))
        {
            return StoredUse.ValidateForRequest;
        }

        if (isFresh)
        {
            return StoredUse.Fresh;
        }

        if (Terms.ForbidsStale)
        {
            return StoredUse.Validate;
        }

        return request.MaxStale != CacheControl.Absent && -freshFor <= TimeSpan.FromSeconds(request.MaxStale) ? StoredUse.Stale
            : -freshFor < Terms.StaleWhileRevalidate ? StoredUse.StaleWhileRevalidate
            : StoredUse.Validate;
    }

    /// <summary>Whether it may stand in for an error (RFC 5861 4), or for an upstream that cannot be reached (RFC 9111 4.2.4).</summary>
    public bool MayReplaceError(in CacheControl request, TimeSpan staleOnFailure, long now, TimeProvider time)
    {
        if (Terms.ForbidsStale || Terms.NeedsValidation || request.NoCache || request.MaxAge != CacheControl.Absent || request.MinFresh != CacheControl.Absent)
        {
            return false;
        }

        var window = Terms.StaleIfError;
        window = request.StaleIfError != CacheControl.Absent && TimeSpan.FromSeconds(request.StaleIfError) > window ? TimeSpan.FromSeconds(request.StaleIfError) : window;
        return -FreshFor(now, time) <= (staleOnFailure > window ? staleOnFailure : window);
    }
}
