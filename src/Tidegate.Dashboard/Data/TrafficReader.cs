using System.Collections.Concurrent;
using System.Data.Common;
using Tidegate.Control;
using Tidegate.Control.Store.Queries;

namespace Tidegate.Dashboard.Data;

/// <summary>Asks the store for sums. What several pages ask at nearly the same time is read once: the second drawing of a page finds what the first one read.</summary>
internal sealed class TrafficReader(DashboardSources sources)
{
    // Sums change each second.
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1.5);

    // A page asks up to ten things; more answers than that of a few viewers are not worth their memory.
    private const int Kept = 64;

    private static readonly TimeSpan KeepBegin = TimeSpan.FromMinutes(10);

    private DateTimeOffset? _begins;
    private long _beginsRead;

    private readonly ConcurrentDictionary<string, (long At, Task<SeriesAnswer> Answer)> _answers = new();

    /// <summary>Whether there is a past to be asked for.</summary>
    public bool IsKept => sources.Store is not null;

    /// <summary>Reads sums, or why there are none.</summary>
    public Task<SeriesAnswer> ReadAsync(SeriesQuery query)
    {
        if (sources.Store is null)
        {
            return Task.FromResult(SeriesAnswer.Off);
        }

        var now = sources.Time.GetTimestamp();
        foreach (var (old, kept) in _answers)
        {
            if (kept.Answer.IsCompleted && sources.Time.GetElapsedTime(kept.At, now) > Fresh)
            {
                _answers.TryRemove(old, out _);
            }
        }

        var key = Key(query);
        if (_answers.TryGetValue(key, out var known))
        {
            return known.Answer;
        }

        var answer = AskAsync(sources.Store, query);
        if (_answers.Count < Kept)
        {
            _answers[key] = (now, answer);
        }

        return answer;
    }

    /// <summary>How much of a time there are sums of.</summary>
    public async Task<TimeSpan> CoveredAsync(DateTimeOffset from, DateTimeOffset to)
    {
        if (sources.Store is null)
        {
            return to - from;
        }

        // It moves only when the oldest is let go, and is not there before the first exchange.
        if (_begins is null || sources.Time.GetElapsedTime(_beginsRead) > KeepBegin)
        {
            try
            {
                _begins = await sources.Store.BeginsAsync();
                _beginsRead = sources.Time.GetTimestamp();
            }
            catch (Exception unreadable) when (unreadable is DbException or ObjectDisposedException or OperationCanceledException)
            {
                // The sums themselves will say so.
                return to - from;
            }
        }

        var begin = _begins is { } first && first > from ? first : from;
        return begin < to ? to - begin : to - from;
    }

    // A moving range asked twice within a moment is the same question.
    private static string Key(SeriesQuery query) => string.Join(
        '\u001f',
        [$"{query.From.ToUnixTimeSeconds() / 3} {(query.To - query.From).Ticks / TimeSpan.TicksPerSecond} {query.Step.Ticks} {query.Top}", .. query.GroupBy, "|", .. query.Filters.Select(filter => filter.Dimension + "=" + filter.Value)]);

    private async Task<SeriesAnswer> AskAsync(StoreReader store, SeriesQuery query)
    {
        if (query.Problem() is { } problem)
        {
            return new SeriesAnswer(null, problem);
        }

        try
        {
            return new SeriesAnswer(await store.SeriesAsync(query, CancellationToken.None), null);
        }
        catch (TooWideException tooWide)
        {
            return new SeriesAnswer(null, tooWide.Message);
        }
        catch (OperationCanceledException)
        {
            return new SeriesAnswer(null, "Reading took longer than 20 s. Choose a shorter time.");
        }
        catch (DbException unreadable)
        {
            sources.Log($"The dashboard cannot read the exchange store: {unreadable.Message}");
            return new SeriesAnswer(null, "The exchange store cannot be read. The log says why.");
        }
        catch (ObjectDisposedException)
        {
            return new SeriesAnswer(null, "The gateway ends.");
        }
    }
}

/// <summary>Sums, or why there are none.</summary>
/// <param name="Result">Null when there are none.</param>
/// <param name="Trouble">What to tell people; null when nothing is wrong.</param>
internal sealed record SeriesAnswer(SeriesResult? Result, string? Trouble)
{
    /// <summary>Nothing is kept.</summary>
    public static readonly SeriesAnswer Off = new(null, null);
}
