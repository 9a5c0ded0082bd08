using System.Data.Common;
using System.Text.Json;
using Tidegate.Control;
using Tidegate.Control.Admin;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Queries;

namespace Tidegate.Dashboard.Data;

/// <summary>Asks the store for sums. What several pages ask at nearly the same time is read once: the second drawing of a page finds what the first one read.</summary>
internal sealed class TrafficReader(DashboardSources sources)
{
    // Between the two drawings of a page its scripts are loaded. What moves asks for another time by then.
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(5);

    // A page asks up to three times; more answers than those of a few viewers are not worth their memory.
    private const int Kept = 32;

    private static readonly TimeSpan KeepBegin = TimeSpan.FromMinutes(10);

    // Whatever a query has is part of what it asks.
    private static readonly JsonSerializerOptions EveryPart = new() { IncludeFields = true };

    private readonly SharedReads<SeriesAnswers> _answers = new(sources.Time, Fresh, Kept);
    private DateTimeOffset? _begins;
    private long _beginsRead;

    /// <summary>Whether there is a past to be asked for.</summary>
    public bool IsKept => sources.Store is not null;

    /// <summary>Reads sums of one time, of what a caller may see, with one reading; or why there are none.</summary>
    public Task<SeriesAnswers> ReadAsync(AdminCaller caller, IReadOnlyList<SeriesQuery> queries, CancellationToken gone)
    {
        IReadOnlyList<SeriesQuery> bounded = [.. queries.Select(query => query with { Tenants = caller.Tenants })];
        return sources.Store is { } store ? _answers.AskAsync(Key(bounded), end => AskAsync(store, bounded, end), gone) : Task.FromResult(SeriesAnswers.Off);
    }

    /// <summary>Where the sums begin; null when there are none yet, or nobody knows.</summary>
    public async Task<DateTimeOffset?> BeginsAsync()
    {
        // It moves only when the oldest is let go, and is not there before the first exchange.
        if (sources.Store is not null && (_begins is null || sources.Time.GetElapsedTime(_beginsRead) > KeepBegin))
        {
            try
            {
                _begins = await sources.Store.BeginsAsync();
                _beginsRead = sources.Time.GetTimestamp();
            }
            catch (Exception unreadable) when (unreadable is DbException or ObjectDisposedException or OperationCanceledException)
            {
                // The sums themselves will say so.
                return null;
            }
        }

        return _begins;
    }

    // A moving range asked twice within a moment is the same question.
    private static string Key(IReadOnlyList<SeriesQuery> queries) => JsonSerializer.Serialize(queries.Select(query => query with { From = Rounded(query.From), To = Rounded(query.To) }), EveryPart);

    private static DateTimeOffset Rounded(DateTimeOffset time) => time.AddTicks(-(time.UtcTicks % (3 * TimeSpan.TicksPerSecond)));

    private async Task<SeriesAnswers> AskAsync(StoreReader store, IReadOnlyList<SeriesQuery> queries, CancellationToken end)
    {
        var now = sources.Time.GetUtcNow();
        if (queries.Select(query => query.Problem(now)).FirstOrDefault(problem => problem is not null) is { } wrong)
        {
            return new SeriesAnswers([], wrong);
        }

        try
        {
            return new SeriesAnswers(await store.SeriesAsync(queries, end), null);
        }
        catch (TooWideException tooWide)
        {
            return new SeriesAnswers([], tooWide.Message);
        }
        catch (OperationCanceledException)
        {
            return new SeriesAnswers([], "Reading took longer than 20 s. Choose a shorter time.");
        }
        catch (StoreClosedException closed)
        {
            return new SeriesAnswers([], closed.For(queries[0].Tenants is null));
        }
        catch (DbException unreadable)
        {
            sources.Log($"The dashboard cannot read the exchange store: {unreadable.Message}");
            return new SeriesAnswers([], "The exchange store cannot be read. The log says why.");
        }
        catch (ObjectDisposedException)
        {
            return new SeriesAnswers([], "The gateway ends.");
        }
    }
}

/// <summary>Sums, or why there are none.</summary>
/// <param name="Results">One for each query; none at all when there are none.</param>
/// <param name="Trouble">What to tell people; null when nothing is wrong.</param>
internal sealed record SeriesAnswers(IReadOnlyList<SeriesResult> Results, string? Trouble)
{
    /// <summary>Nothing is kept.</summary>
    public static readonly SeriesAnswers Off = new([], null);

    /// <summary>The answer to one of the queries.</summary>
    public SeriesResult? this[int query] => query < Results.Count ? Results[query] : null;
}
