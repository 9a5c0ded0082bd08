namespace Tidegate.Policies.Cache;

/// <summary>What a cache does.</summary>
internal enum CacheMode
{
    /// <summary>Answers are stored and used as RFC 9111 says.</summary>
    Standard,

    /// <summary>Everything is forwarded; the record says what a stored answer would have done.</summary>
    Observe,

    /// <summary>Nothing is stored or used. Where other routes of the API do, a successful unsafe request still makes its URL invalid.</summary>
    Off,
}

/// <summary>Who may be given an answer that somebody else's call brought.</summary>
internal enum CachePartition
{
    /// <summary>Calls with the same credential: what they carry, and what the gateway puts on.</summary>
    Credential,

    /// <summary>Calls of the same consumer.</summary>
    Consumer,

    /// <summary>Everybody.</summary>
    None,
}

/// <summary>How a route's answers are kept. Made by the compiler.</summary>
internal sealed record CacheSettings
{
    /// <summary>The API, which keeps its answers apart from every other's.</summary>
    public required string Api { get; init; }

    public CacheMode Mode { get; init; }

    public CachePartition Partition { get; init; }

    /// <summary>Tells injected credentials apart, as a hash; 0 when none is injected.</summary>
    public UInt128 InjectedCredential { get; init; }

    /// <summary>The largest content that is stored.</summary>
    public long MaxEntryBytes { get; init; } = 8 << 20;

    /// <summary>How long answers hold that say nothing of it, by the first digit of the status; null leaves it to RFC 9111.</summary>
    public IReadOnlyList<TimeSpan?> Ttl { get; init; } = new TimeSpan?[10];

    /// <summary>The same for 404, 405, 410 and 501; null leaves it to <see cref="Ttl"/>.</summary>
    public TimeSpan? NegativeTtl { get; init; }

    /// <summary>The times hold even where the answer says otherwise.</summary>
    public bool IsOverride { get; init; }

    /// <summary>How stale an answer may be when the upstream cannot be reached (RFC 9111 4.2.4).</summary>
    public TimeSpan StaleOnFailure { get; init; }

    /// <summary>What of the query is part of the key.</summary>
    public QueryRule Query { get; init; } = QueryRule.Whole;

    /// <summary>Every such rule of the API: a request that changes a URL changes what is stored under each.</summary>
    public IReadOnlyList<QueryRule> ApiQueries { get; init; } = [];

    /// <summary>Request fields that the answer depends on though its Vary does not say so.</summary>
    public IReadOnlyList<byte[]> KeyHeaders { get; init; } = [];

    /// <summary>Answer fields in which the API's provider tells how much may still be called, beside those whose names say so: true for one call only, and not stored.</summary>
    public IReadOnlyList<byte[]> AllowanceFields { get; init; } = [];

    /// <summary>POST is a read here: its content is a part of the key.</summary>
    public bool KeysBody { get; init; }

    /// <summary>Whether a request field is one of <see cref="KeyHeaders"/>.</summary>
    public bool IsKeyed(ReadOnlySpan<byte> name)
    {
        for (var i = 0; i < KeyHeaders.Count; i++)
        {
            if (FieldNames.AreSame(KeyHeaders[i], name))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The time that the configuration gives an answer; null when none.</summary>
    public TimeSpan? TtlOf(int status) => status is 404 or 405 or 410 or 501 && NegativeTtl is { } negative ? negative : Ttl[status / 100 % 10];
}
