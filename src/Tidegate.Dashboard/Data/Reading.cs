using Tidegate.Control.Admin;
using Tidegate.Control.Store.Queries;
using Tidegate.Dashboard.Views;

namespace Tidegate.Dashboard.Data;

/// <summary>One reading of a page: of which time, and as long as somebody waits for it.</summary>
internal sealed class Reading
{
    private readonly TrafficReader _traffic;
    private readonly AdminCaller _caller;
    private readonly TimeRange _range;

    /// <summary>One that begins with what is kept.</summary>
    internal Reading(TrafficReader traffic, AdminCaller caller, TimeRange range, DateTimeOffset now, DateTimeOffset? begins, CancellationToken gone)
    {
        (_traffic, _caller, _range, Now, Gone) = (traffic, caller, range, now, gone);
        var (from, to) = (range.From(now), range.To(now));
        Span = to - (begins > from && begins < to ? begins.Value : from);
        IsBeforeKept = Chart([]).Before(now) is { } before && begins <= before.From;
    }

    /// <summary>The time for which is read.</summary>
    public DateTimeOffset Now { get; }

    /// <summary>How much of the shown time is kept: rates are of that.</summary>
    public TimeSpan Span { get; }

    /// <summary>Whether there are sums of as much time just before.</summary>
    public bool IsBeforeKept { get; }

    /// <summary>Ends when nobody waits any more.</summary>
    public CancellationToken Gone { get; }

    /// <summary>Why something is missing; null when nothing is.</summary>
    public string? Trouble { get; private set; }

    /// <summary>Begins one.</summary>
    public static async Task<Reading> BeginAsync(TrafficReader traffic, AdminCaller caller, TimeRange range, DateTimeOffset now, CancellationToken gone) => new(traffic, caller, range, now, await traffic.BeginsAsync(), gone);

    /// <summary>A question about the shown time, with the points of a chart.</summary>
    public SeriesQuery Chart(IReadOnlyList<string> groupBy, params IReadOnlyList<(string Dimension, string Value)> filters) => RangeQuery.Of(_range, Now, groupBy, filters);

    /// <summary>A question about the shown time, for a table.</summary>
    public SeriesQuery Table(IReadOnlyList<string> groupBy, params IReadOnlyList<(string Dimension, string Value)> filters) => RangeQuery.Totals(Chart(groupBy, filters));

    /// <summary>Reads the answers, in the order of the questions.</summary>
    public async Task<SeriesAnswers> SumsAsync(params IReadOnlyList<SeriesQuery> queries)
    {
        var answers = await _traffic.ReadAsync(_caller, queries, Gone);
        Trouble ??= answers.Trouble;
        return answers;
    }

    /// <summary>The same of as much time just before, where all of it is kept: with less, everything would seem to have grown.</summary>
    public Task<SeriesAnswers> BeforeAsync(params IReadOnlyList<SeriesQuery> queries) =>
        IsBeforeKept ? SumsAsync([.. queries.Select(query => query.Before(Now)!)]) : Task.FromResult(SeriesAnswers.Off);
}
