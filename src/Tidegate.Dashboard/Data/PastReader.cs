using System.Data.Common;
using Tidegate.Control;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;

namespace Tidegate.Dashboard.Data;

/// <summary>Asks the store for exchanges.</summary>
internal sealed class PastReader(DashboardSources sources)
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
            return (await sources.Store.FindAsync(search, CancellationToken.None), null);
        }
        catch (OperationCanceledException)
        {
            return ([], "Searching took longer than 20 s. Choose a shorter time, or more filters.");
        }
        catch (Exception unreadable) when (unreadable is DbException or IOException or InvalidDataException)
        {
            sources.Log($"The dashboard cannot search the exchange store: {unreadable.Message}");
            return ([], "The exchange store cannot be searched. The log says why.");
        }
        catch (ObjectDisposedException)
        {
            return ([], "The gateway ends.");
        }
    }

    /// <summary>One exchange; null when it is not kept.</summary>
    public async Task<(ExchangeRecord? Found, string? Trouble)> FindAsync(ulong id)
    {
        if (sources.Recent.Find(record => record.Id == id, 1) is [var recent])
        {
            return (recent, null);
        }

        var (found, trouble) = await FindAsync(new ExchangeSearch { From = DateTimeOffset.UnixEpoch, To = sources.Time.GetUtcNow() + Ahead, Id = id, Limit = 1 });
        return (found is [var old] ? old : null, trouble);
    }
}
