namespace Tidegate.Control.Store.Queries;

/// <summary>Puts rows together to the groups of one query. Not thread-safe.</summary>
internal sealed class SeriesBuilder(SeriesQuery query, SeriesPoints points)
{
    // Beyond so many the smallest cannot be told from the rest: new ones are others from then on. 20 MB.
    private const int MaxGroups = 20_000;

    private readonly Dictionary<string, SeriesSum> _groups = [];
    private readonly SeriesSum _others = new([]);
    private int _lateGroups;
    private long _begin = -1;
    private long _step;

    /// <summary>Where a key's rows are counted.</summary>
    public SeriesSum SumOf(string[] key)
    {
        var text = SeriesGroup.TextOf(key);
        if (_groups.TryGetValue(text, out var known))
        {
            return known;
        }

        if (_groups.Count == MaxGroups)
        {
            _lateGroups++;
            return _others;
        }

        return _groups[text] = new SeriesSum(key);
    }

    /// <summary>What the cell is added to that a group has at a time.</summary>
    /// <exception cref="TooWideException">There would be too many points.</exception>
    public SeriesPoint PointOf(SeriesSum group, long begin)
    {
        if (begin != _begin)
        {
            // Cells come in the order of their times.
            _begin = begin;
            _step = begin - (begin % query.Step.Ticks);
        }

        var step = query.HasPoints && group != _others ? _step : query.From.UtcTicks;
        if (group.Last is { } last && last.Begin.UtcTicks == step)
        {
            return last;
        }

        if (!group.Points.TryGetValue(step, out var point))
        {
            if (++points.Count > SeriesPoints.Most)
            {
                throw new TooWideException("This has more groups and steps than a query may: group by less, filter by an API, or make step larger.");
            }

            group.Points.Add(step, point = new SeriesPoint(new DateTimeOffset(step, TimeSpan.Zero)));
        }

        return group.Last = point;
    }

    public SeriesResult Build()
    {
        var groups = _groups.Values.Select(group => (group.Key, Total: Sum(group.Points.Values), Points: query.HasPoints ? group.Points.Values.ToArray() : []))
            .OrderByDescending(group => group.Total.Cell.Count).ThenBy(group => string.Join('\u001f', group.Key), StringComparer.Ordinal).ToList();
        var others = Sum([.. groups.Skip(query.Top).Select(group => group.Total), .. _others.Points.Values]);
        return new SeriesResult(
            Sum([.. groups.Take(query.Top).Select(group => group.Total), others]),
            [.. groups.Take(query.Top).Select(group => new SeriesGroup(group.Key, group.Total, group.Points))],
            Math.Max(0, groups.Count - query.Top) + _lateGroups,
            others);
    }

    private SeriesPoint Sum(IEnumerable<SeriesPoint> points)
    {
        var sum = new SeriesPoint(query.From);
        foreach (var point in points)
        {
            sum.Add(point);
        }

        return sum;
    }
}

/// <summary>The points of all groups of the queries that are answered with one reading. Not thread-safe.</summary>
internal sealed class SeriesPoints
{
    /// <summary>One is about a kilobyte: 50 MB of <see cref="EngineMemory.Series"/>.</summary>
    public const int Most = 50_000;

    public int Count { get; set; }
}

/// <summary>One group while it grows.</summary>
/// <param name="key">A value for each dimension that is grouped by.</param>
internal sealed class SeriesSum(string[] key)
{
    public string[] Key => key;

    /// <summary>By where their steps begin; one for all where points were not asked for.</summary>
    public SortedDictionary<long, SeriesPoint> Points { get; } = [];

    /// <summary>The one of them that was added to last.</summary>
    public SeriesPoint? Last { get; set; }
}
