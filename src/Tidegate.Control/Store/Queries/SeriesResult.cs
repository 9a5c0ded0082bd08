using Tidegate.Control.Store.Rollups;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Queries;

/// <summary>The answer to a <see cref="SeriesQuery"/>.</summary>
/// <param name="Total">Of everything that fits, in the whole time.</param>
/// <param name="Groups">The largest first; each with its points in order. Steps without exchanges have none.</param>
/// <param name="OmittedGroups">How many there are beyond those.</param>
internal sealed record SeriesResult(SeriesPoint Total, IReadOnlyList<SeriesGroup> Groups, int OmittedGroups);

/// <summary>One group.</summary>
/// <param name="Key">A value for each dimension that was grouped by.</param>
/// <param name="Total">In the whole time.</param>
/// <param name="Points">By step.</param>
internal sealed record SeriesGroup(IReadOnlyList<string> Key, SeriesPoint Total, IReadOnlyList<SeriesPoint> Points);

/// <summary>Sums of one step, or of all. Not thread-safe.</summary>
internal sealed class SeriesPoint(DateTimeOffset begin)
{
    public DateTimeOffset Begin => begin;

    public RollupCell Cell { get; } = new();

    /// <summary>Failed, or answered with 500 or more.</summary>
    public long Errors { get; private set; }

    public long Rejected { get; private set; }

    /// <summary>Answered by the upstream with 400 to 499.</summary>
    public long ClientErrors { get; private set; }

    /// <summary>Answered from the cache.</summary>
    public long CacheHits { get; private set; }

    /// <summary>Where a cache was asked.</summary>
    public long CacheLookups { get; private set; }

    public void Add(RollupCell cell, int status, string outcome, string cache)
    {
        var count = cell.Count;
        Cell.Add(cell);
        Errors += outcome == ExchangeWords.Of(Outcome.Failed) || (status >= 500 && outcome != ExchangeWords.Of(Outcome.Rejected)) ? count : 0;
        Rejected += outcome == ExchangeWords.Of(Outcome.Rejected) ? count : 0;
        ClientErrors += status is >= 400 and < 500 && outcome == ExchangeWords.Of(Outcome.Forwarded) ? count : 0;
        CacheHits += outcome == ExchangeWords.Of(Outcome.ServedFromCache) ? count : 0;
        CacheLookups += cache.Length > 0 ? count : 0;
    }
}

/// <summary>Puts rows together.</summary>
internal sealed class SeriesBuilder(SeriesQuery query)
{
    private readonly Dictionary<string, (SeriesPoint Total, SortedDictionary<long, SeriesPoint> Points)> _groups = [];
    private readonly SeriesPoint _total = new(query.From);

    public void Add(long begin, string key, RollupCell cell, int status, string outcome, string cache)
    {
        if (!_groups.TryGetValue(key, out var group))
        {
            _groups.Add(key, group = (new SeriesPoint(query.From), []));
        }

        var step = begin - (begin % query.Step.Ticks);
        if (!group.Points.TryGetValue(step, out var point))
        {
            group.Points.Add(step, point = new SeriesPoint(new DateTimeOffset(step, TimeSpan.Zero)));
        }

        point.Add(cell, status, outcome, cache);
        group.Total.Add(cell, status, outcome, cache);
        _total.Add(cell, status, outcome, cache);
    }

    public SeriesResult Build()
    {
        var groups = _groups.OrderByDescending(group => group.Value.Total.Cell.Count).ThenBy(group => group.Key, StringComparer.Ordinal).ToList();
        return new SeriesResult(
            _total,
            [.. groups.Take(query.Top).Select(group => new SeriesGroup(query.GroupBy.Count == 0 ? [] : group.Key.Split('\u001f'), group.Value.Total, [.. group.Value.Points.Values]))],
            Math.Max(0, groups.Count - query.Top));
    }
}
