using Tidegate.Control.Store.Queries;

namespace Tidegate.Dashboard.Charts;

/// <summary>Brings sums into the points of a chart: one for each step, also where nothing was.</summary>
internal sealed class Timeline
{
    // Half of a minute says little about its rate; a moment of it says nothing.
    private static readonly TimeSpan LeastOfAStep = TimeSpan.FromSeconds(15);

    private readonly SeriesQuery _query;
    private readonly List<DateTimeOffset> _steps = [];

    public Timeline(SeriesQuery query)
    {
        _query = query;
        var step = query.Step.Ticks;
        for (var ticks = query.From.UtcTicks - (query.From.UtcTicks % step); ticks < query.To.UtcTicks; ticks += step)
        {
            var begin = new DateTimeOffset(ticks, TimeSpan.Zero);
            if (query.To - begin >= LeastOfAStep || _steps.Count == 0)
            {
                _steps.Add(begin);
            }
        }
    }

    /// <summary>Where each step begins.</summary>
    public IReadOnlyList<DateTimeOffset> Steps => _steps;

    /// <summary>A chart of these.</summary>
    public ChartSpec Chart(string kind, string unit, params IReadOnlyList<ChartSeries> series) => new()
    {
        Kind = kind,
        Unit = unit,
        From = Milliseconds(_steps[0]),
        To = Milliseconds(_query.To),
        Step = _query.Step.TotalMilliseconds,
        Series = series,
    };

    /// <summary>How many in a second.</summary>
    public IReadOnlyList<double?[]> Rate(IEnumerable<SeriesPoint> points, Func<SeriesPoint, double> count) =>
        Points(points, (begin, point) => point is null ? 0 : count(point) / Width(begin).TotalSeconds);

    /// <summary>Something of each step in which there was anything.</summary>
    public IReadOnlyList<double?[]> Value(IEnumerable<SeriesPoint> points, Func<SeriesPoint, double?> value) => Points(points, (_, point) => point is null ? null : value(point));

    /// <summary>The values alone, for a line without axes.</summary>
    public IReadOnlyList<double> Sparkline(IEnumerable<SeriesPoint> points, Func<SeriesPoint, double> count) => [.. Rate(points, count).Select(point => point[1] ?? 0)];

    /// <summary>As the browser's clock counts.</summary>
    public static double Milliseconds(DateTimeOffset time) => time.ToUnixTimeMilliseconds();

    // The first step is as wide as what was read of it, the one that is not over yet as it has come.
    private TimeSpan Width(DateTimeOffset begin)
    {
        var (first, end) = (_query.ReadFrom, begin + _query.Step);
        return (end < _query.To ? end : _query.To) - (begin > first ? begin : first);
    }

    private List<double?[]> Points(IEnumerable<SeriesPoint> points, Func<DateTimeOffset, SeriesPoint?, double?> value)
    {
        var byBegin = new Dictionary<DateTimeOffset, SeriesPoint>();
        foreach (var point in points)
        {
            byBegin[point.Begin] = point;
        }

        return [.. _steps.Select(begin => new double?[] { Milliseconds(begin), value(begin, byBegin.GetValueOrDefault(begin)) is { } number ? Math.Round(number, 4) : null })];
    }
}
