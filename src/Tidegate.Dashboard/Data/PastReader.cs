using System.Data.Common;
using System.Text.Json;
using Tidegate.Control;
using Tidegate.Control.Admin;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;

namespace Tidegate.Dashboard.Data;

/// <summary>Asks for exchanges that a caller may see. A search that runs already is shared, and one for which nobody waits any more ends: there is one place for all.</summary>
internal sealed class PastReader(DashboardSources sources)
{
    // Numbers are found by reading everything: as far back as is kept.
    private static readonly TimeSpan Ahead = TimeSpan.FromHours(1);

    // For the second drawing of a page.
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(5);

    private const int Kept = 16;

    // Whatever a search has is part of what it asks, and so is whose exchanges it may find.
    private static readonly JsonSerializerOptions EveryPart = new() { IncludeFields = true };

    private readonly SharedReads<FoundExchanges> _searches = new(sources.Time, Fresh, Kept);

    /// <summary>The newest that fit, and why there are none.</summary>
    public Task<FoundExchanges> FindAsync(AdminCaller caller, ExchangeSearch search, CancellationToken gone)
    {
        var bounded = search with { Tenants = caller.Tenants };
        return sources.Store is null ? Task.FromResult(new FoundExchanges([], null)) : _searches.AskAsync(JsonSerializer.Serialize(bounded, EveryPart), end => AskAsync(bounded, end), gone);
    }

    /// <summary>Those of the last exchanges that fit.</summary>
    public IReadOnlyList<ExchangeRecord> Recent(AdminCaller caller, ExchangeSearch search, int limit)
    {
        var bounded = search with { Tenants = caller.Tenants };
        return sources.Recent.Find(bounded.Fits, limit);
    }

    /// <summary>One exchange; null when it is not kept.</summary>
    public async Task<(ExchangeRecord? Found, string? Trouble)> FindAsync(AdminCaller caller, ulong id, CancellationToken gone)
    {
        if (sources.Recent.Find(record => record.Id == id && AdminScope.Has(caller.Tenants, record.Consumer.Tenant), 1) is [var recent])
        {
            return (recent, null);
        }

        // To the second: both drawings of a page ask the same.
        var until = DateTimeOffset.FromUnixTimeSeconds((sources.Time.GetUtcNow() + Ahead).ToUnixTimeSeconds());
        var (found, trouble) = await FindAsync(caller, new ExchangeSearch { From = DateTimeOffset.UnixEpoch, To = until, Id = id, Limit = 1 }, gone);
        return (found is [var old] ? old : null, trouble);
    }

    private async Task<FoundExchanges> AskAsync(ExchangeSearch search, CancellationToken end)
    {
        try
        {
            return new FoundExchanges(await sources.Store!.FindAsync(search, end), null);
        }
        catch (OperationCanceledException)
        {
            return new FoundExchanges([], "Searching took longer than 20 s. Choose a shorter time, or more filters.");
        }
        catch (StoreClosedException closed)
        {
            return new FoundExchanges([], closed.For(search.Tenants is null));
        }
        catch (Exception unreadable) when (unreadable is DbException or IOException or InvalidDataException)
        {
            sources.Log($"The dashboard cannot search the exchange store: {unreadable.Message}");
            return new FoundExchanges([], "The exchange store cannot be searched. The log says why.");
        }
        catch (ObjectDisposedException)
        {
            return new FoundExchanges([], "The gateway ends.");
        }
    }
}

/// <summary>What a search found.</summary>
/// <param name="Found">The newest first.</param>
/// <param name="Trouble">Why there are none; null when nothing is wrong.</param>
internal sealed record FoundExchanges(IReadOnlyList<ExchangeRecord> Found, string? Trouble);
