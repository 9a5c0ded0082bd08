using System.Data.Common;
using System.Globalization;
using Tidegate.Control.Store.Log;
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

    /// <summary>Adds what was saved of a cell.</summary>
    public void Add(ReadOnlySpan<long> sums, ReadOnlySpan<byte> sketches, TextPool texts, int status, string outcome, string cache)
    {
        var count = sums[0];
        Cell.AddSaved(sums, sketches, texts);
        Errors += outcome == ExchangeWords.Of(Outcome.Failed) || (status >= 500 && outcome != ExchangeWords.Of(Outcome.Rejected)) ? count : 0;
        Rejected += outcome == ExchangeWords.Of(Outcome.Rejected) ? count : 0;
        ClientErrors += status is >= 400 and < 500 && outcome == ExchangeWords.Of(Outcome.Forwarded) ? count : 0;
        CacheHits += outcome == ExchangeWords.Of(Outcome.ServedFromCache) ? count : 0;
        CacheLookups += cache.Length > 0 ? count : 0;
    }

    /// <summary>Adds all of another's.</summary>
    public void Add(SeriesPoint other)
    {
        Cell.Add(other.Cell);
        Errors += other.Errors;
        Rejected += other.Rejected;
        ClientErrors += other.ClientErrors;
        CacheHits += other.CacheHits;
        CacheLookups += other.CacheLookups;
    }
}

/// <summary>Puts rows together. Sums of more than a point are made at the end, because sketches are dear to add.</summary>
internal sealed class SeriesBuilder(SeriesQuery query)
{
    // A sketch is a kilobyte or two, and several people may ask.
    private const int MaxPoints = 50_000;

    private readonly Dictionary<string, (string[] Key, SortedDictionary<long, SeriesPoint> Points)> _groups = [];
    private int _points;

    /// <summary>Sums of all that is in no group.</summary>
    public SeriesPoint Omitted { get; } = new(query.From);

    /// <summary>What a row belongs to.</summary>
    /// <param name="begin">When the row's span began.</param>
    /// <param name="key">The group.</param>
    /// <param name="row">Has the group's names.</param>
    /// <param name="first">The first of them.</param>
    /// <exception cref="TooWideException">There are too many.</exception>
    public SeriesPoint Point(long begin, string key, DbDataReader row, int first)
    {
        if (!_groups.TryGetValue(key, out var group))
        {
            var names = new string[query.GroupBy.Count];
            for (var i = 0; i < names.Length; i++)
            {
                names[i] = Convert.ToString(row.GetValue(first + i), CultureInfo.InvariantCulture) ?? "";
            }

            _groups.Add(key, group = (names, []));
        }

        var step = begin - (begin % query.Step.Ticks);
        if (!group.Points.TryGetValue(step, out var point))
        {
            if (++_points > MaxPoints)
            {
                throw new TooWideException(string.Create(CultureInfo.InvariantCulture, $"These are more than {MaxPoints} points: make step larger, top smaller, or the time shorter."));
            }

            group.Points.Add(step, point = new SeriesPoint(new DateTimeOffset(step, TimeSpan.Zero)));
        }

        return point;
    }

    /// <param name="omitted">Groups that are left out.</param>
    public SeriesResult Build(int omitted)
    {
        var groups = new List<SeriesGroup>();
        foreach (var (key, points) in _groups.Values)
        {
            var sum = new SeriesPoint(query.From);
            foreach (var point in points.Values)
            {
                sum.Add(point);
            }

            groups.Add(new SeriesGroup(key, sum, [.. points.Values]));
        }

        var total = new SeriesPoint(query.From);
        total.Add(Omitted);
        groups.ForEach(group => total.Add(group.Total));
        return new SeriesResult(total, [.. groups.OrderByDescending(group => group.Total.Cell.Count).ThenBy(group => string.Join('\n', group.Key), StringComparer.Ordinal)], omitted);
    }
}
