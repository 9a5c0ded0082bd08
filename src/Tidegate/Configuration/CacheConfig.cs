using Tidegate.Policies.Cache;

namespace Tidegate.Configuration;

internal sealed record CacheStoreConfig
{
    [Doc("Stored answers and what is on its way into the store, together. Default: 64MB, some 20,000 answers of 3 KB."), Size]
    public long? Memory { get; init; }

    [Doc("Keeps stored answers on disk as well, so that they outlive a restart. Default: memory only. Read at start."), NeedsRestart]
    public CacheDiskConfig? Disk { get; init; }
}

internal sealed record CacheDiskConfig
{
    [Doc("A directory of its own, for this gateway alone. Default: cache in state_directory."), Path, NeedsRestart]
    public string? Path { get; init; }

    [Doc("All of its files together, 3MB aside; at least 16MB. The oldest answers go first."), Size, NeedsRestart]
    public required long MaxSize { get; init; }
}

internal sealed record CacheConfig
{
    [Doc("standard (RFC 9111), observe (everything is forwarded, and the record says what would have been a hit) or off. Default: standard.")]
    public CacheMode Mode { get; init; }

    [Doc("Whose answers are kept apart: credential (each credential's own), consumer, or none (everybody shares). Default: credential on egress, consumer on ingress.")]
    public CachePartition? Partition { get; init; }

    [Doc("The largest content that is stored. Default: 8MB, so that one answer is not most of the store."), Size]
    public long? MaxEntry { get; init; }

    [Doc("How long answers are fresh that do not say so themselves.")]
    public CacheTtlConfig? Ttl { get; init; }

    [Doc("The same for 404, 405, 410 and 501, which are often right again soon. Default: as ttl says.")]
    public TimeSpan? NegativeTtl { get; init; }

    [Doc("ttl and negative_ttl hold even where the answer says otherwise. What is for one caller is still not shared. Default: false, because the provider knows its data.")]
    public bool Override { get; init; }

    [Doc("How stale an answer may be when the upstream cannot be reached; must-revalidate and the like forbid it all the same. 0s cannot be written: use 1ms for never. Default: 1m, an outage's first minute.")]
    public TimeSpan? StaleOnFailure { get; init; }

    [Doc("What tells answers apart beside the URL.")]
    public CacheKeyConfig? Key { get; init; }
}

internal sealed record CacheTtlConfig
{
    [Doc("For 2xx.")]
    public TimeSpan? Success { get; init; }

    [Doc("For 3xx.")]
    public TimeSpan? Redirect { get; init; }

    [Doc("For 4xx.")]
    public TimeSpan? ClientError { get; init; }

    [Doc("For 5xx.")]
    public TimeSpan? ServerError { get; init; }
}

internal sealed record CacheKeyConfig
{
    [Doc("Query parameters that mean nothing to the answer, for example utm_source.")]
    public IReadOnlyList<string> QueryIgnore { get; init; } = [];

    [Doc("The only query parameters that mean something. Default: all.")]
    public IReadOnlyList<string> QueryAllow { get; init; } = [];

    [Doc("Request fields that the answer depends on though its Vary does not say so.")]
    public IReadOnlyList<string> Headers { get; init; } = [];

    [Doc("POST is a read here, as with GraphQL queries: its content, up to 64 KB, is part of the key. Default: false.")]
    public bool Body { get; init; }
}
