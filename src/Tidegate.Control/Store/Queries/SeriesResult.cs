using Tidegate.Control.Store.Log;
using Tidegate.Control.Store.Rollups;

namespace Tidegate.Control.Store.Queries;

/// <summary>The answer to a <see cref="SeriesQuery"/>.</summary>
/// <param name="Total">Of everything that fits, in the whole time.</param>
/// <param name="Groups">The largest first; each with its points in order, if they were asked for. Steps without exchanges have none.</param>
/// <param name="OmittedGroups">How many there are beyond those.</param>
/// <param name="Others">Of the exchanges of those.</param>
internal sealed record SeriesResult(SeriesPoint Total, IReadOnlyList<SeriesGroup> Groups, int OmittedGroups, SeriesPoint Others);

/// <summary>One group.</summary>
/// <param name="Key">A value for each dimension that was grouped by.</param>
/// <param name="Total">In the whole time.</param>
/// <param name="Points">By step.</param>
internal sealed record SeriesGroup(IReadOnlyList<string> Key, SeriesPoint Total, IReadOnlyList<SeriesPoint> Points)
{
    /// <summary>The key as one text, different for different keys: names may hold anything, so their lengths keep them apart.</summary>
    public static string TextOf(IReadOnlyList<string> key) => string.Concat(key.Select(name => $"{name.Length}:{name}"));
}

/// <summary>Sums of one step, or of all. Not thread-safe.</summary>
internal sealed class SeriesPoint(DateTimeOffset begin)
{
    public DateTimeOffset Begin => begin;

    public RollupCell Cell { get; } = new();

    /// <summary>See <see cref="Recording.ErrorRule"/>.</summary>
    public long Errors { get; private set; }

    /// <summary>Ended by what their clients did.</summary>
    public long ClientFailures { get; private set; }

    public long Rejected { get; private set; }

    /// <summary>Answered by the upstream with 400 to 499.</summary>
    public long ClientErrors { get; private set; }

    /// <summary>Answered from the cache.</summary>
    public long CacheHits { get; private set; }

    /// <summary>Where a cache was asked.</summary>
    public long CacheLookups { get; private set; }

    public void Add(RollupCell cell, SeriesKind kind)
    {
        Cell.Add(cell);
        Count(cell.Count, kind);
    }

    /// <summary>Adds what <see cref="RollupCell.Write"/> wrote of a cell.</summary>
    public void AddWritten(ReadOnlySpan<byte> cell, SeriesKind kind, TextPool texts) => Count(Cell.AddWritten(cell, texts), kind);

    public void Add(SeriesPoint other)
    {
        Cell.Add(other.Cell);
        Errors += other.Errors;
        ClientFailures += other.ClientFailures;
        Rejected += other.Rejected;
        ClientErrors += other.ClientErrors;
        CacheHits += other.CacheHits;
        CacheLookups += other.CacheLookups;
    }

    private void Count(long count, SeriesKind kind)
    {
        Errors += kind.IsError ? count : 0;
        ClientFailures += kind.IsClientFailure ? count : 0;
        Rejected += kind.IsRejected ? count : 0;
        ClientErrors += kind.IsClientError ? count : 0;
        CacheHits += kind.IsCacheHit ? count : 0;
        CacheLookups += kind.IsCacheLookup ? count : 0;
    }
}
