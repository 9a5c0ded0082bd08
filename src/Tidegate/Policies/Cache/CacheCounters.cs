using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>What the cache has done since the process began, for the metrics.</summary>
internal sealed class CacheCounters
{
    private static readonly int Results = Enum.GetValues<CacheResult>().Length;

    private readonly long[] _results = new long[Results];
    private readonly long[] _purges = new long[Enum.GetValues<PurgeKind>().Length];
    private long _invalidations;
    private long _refreshFailures;

    public long Invalidations => Interlocked.Read(ref _invalidations);

    /// <summary>Background refreshes that brought no answer.</summary>
    public long RefreshFailures => Interlocked.Read(ref _refreshFailures);

    public long Of(CacheResult result) => Interlocked.Read(ref _results[(int)result]);

    public long Of(PurgeKind kind) => Interlocked.Read(ref _purges[(int)kind]);

    public void Count(CacheResult result) => Interlocked.Increment(ref _results[(int)result]);

    public void Count(PurgeKind kind) => Interlocked.Increment(ref _purges[(int)kind]);

    public void CountInvalidation() => Interlocked.Increment(ref _invalidations);

    public void CountRefreshFailure() => Interlocked.Increment(ref _refreshFailures);
}

/// <summary>What a purge names.</summary>
internal enum PurgeKind
{
    Url,
    Prefix,
    Tag,
    Api,
    Consumer,
    Credential,
    All,
}
