using DuckDB.NET.Data;
using Tidegate.Control;
using Tidegate.Control.Admin;
using Tidegate.Control.Store.Segments;
using Tidegate.Dashboard.Views;
using Tidegate.Recording;

namespace Tidegate.Dashboard.Data;

/// <summary>Asks for exchanges that whoever looks may see.</summary>
internal sealed class PastReader(DashboardSources sources, Viewer viewer)
{
    // Numbers are found by reading everything: as far back as is kept.
    private static readonly TimeSpan Ahead = TimeSpan.FromHours(1);

    /// <summary>The newest that fit, and why there are none.</summary>
    public async Task<(IReadOnlyList<ExchangeRecord> Found, string? Trouble)> FindAsync(ExchangeSearch search)
    {
        if (sources.Store is null)
        {
            return ([], null);
        }

        try
        {
            return (await sources.Store.FindAsync(search with { Tenants = viewer.Caller.Tenants }, CancellationToken.None), null);
        }
        catch (OperationCanceledException)
        {
            return ([], "Searching took longer than 20 s. Choose a shorter time, or more filters.");
        }
        catch (Exception unreadable) when (unreadable is DuckDBException or IOException or InvalidDataException)
        {
            sources.Log($"The dashboard cannot search the exchange store: {unreadable.Message}");
            return ([], "The exchange store cannot be searched. The log says why.");
        }
        catch (ObjectDisposedException)
        {
            return ([], "The gateway ends.");
        }
    }

    /// <summary>Those of the last exchanges that fit.</summary>
    public IReadOnlyList<ExchangeRecord> Recent(ExchangeSearch search, int limit)
    {
        var bounded = search with { Tenants = viewer.Caller.Tenants };
        return sources.Recent.Find(bounded.Fits, limit);
    }

    /// <summary>One exchange; null when it is not kept.</summary>
    public async Task<(ExchangeRecord? Found, string? Trouble)> FindAsync(ulong id)
    {
        if (sources.Recent.Find(record => record.Id == id && AdminScope.Has(viewer.Caller.Tenants, record.Consumer.Tenant), 1) is [var recent])
        {
            return (recent, null);
        }

        var (found, trouble) = await FindAsync(new ExchangeSearch { From = DateTimeOffset.UnixEpoch, To = sources.Time.GetUtcNow() + Ahead, Id = id, Limit = 1 });
        return (found is [var old] ? old : null, trouble);
    }
}
