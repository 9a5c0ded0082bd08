using DuckDB.NET.Data;
using Microsoft.Data.Sqlite;
using Tidegate.Control.Store.Files;
using Tidegate.Control.Store.Rollups;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Queries;

/// <summary>Asks a store of files. The engine that searches segments is made for the first search and given up when nobody has searched for a while.</summary>
internal sealed class FileSource(ExchangeStore store) : IStoreSource
{
    // Segments come and go while one looks; not that often.
    private const int MaxTries = 5;

    private SegmentEngine? _engine;

    /// <inheritdoc/>
    public int SearchMegabytes => EngineMemory.Search;

    /// <inheritdoc/>
    public IReadOnlyList<SeriesResult> Series(IReadOnlyList<SeriesQuery> queries, CancellationToken cancellationToken)
    {
        using var database = new SqliteConnection(store.RollupConnection + ";Mode=ReadOnly");
        try
        {
            database.Open();
            using var ended = cancellationToken.UnsafeRegister(static database => SQLitePCL.raw.sqlite3_interrupt(((SqliteConnection)database!).Handle), database);
            return SeriesScan.Run(queries, database, cancellationToken);
        }
        catch (SqliteException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (SqliteException broken) when (RollupDatabase.IsBroken(broken))
        {
            store.DoubtSums();
            throw;
        }
    }

    /// <inheritdoc/>
    public DateTimeOffset? Begin()
    {
        using var database = new SqliteConnection(store.RollupConnection + ";Mode=ReadOnly");
        database.Open();
        return SeriesScan.Begin(database);
    }

    /// <inheritdoc/>
    public IReadOnlyList<ExchangeRecord> Find(ExchangeSearch search, CancellationToken cancellationToken)
    {
        for (var tries = 1; ; tries++)
        {
            var (segments, logs) = store.Files;
            _engine ??= new SegmentEngine(store.Folder);
            try
            {
                return _engine.Find(search, segments, logs, cancellationToken);
            }
            catch (SegmentTroubleException trouble) when (tries < MaxTries)
            {
                // The engine itself may not be able to go on after that.
                Rest();
                var broken = SegmentCheck.Broken(store.Folder, trouble.Segments, cancellationToken);
                broken.ForEach(store.SetAside);
                if (broken.Count == 0 && trouble.Segments.All(segment => File.Exists(segment.Path)))
                {
                    throw;
                }
            }
            catch (FileNotFoundException) when (tries < MaxTries)
            {
                // A log has just become a segment.
                Rest();
            }
            catch (DuckDBException)
            {
                Rest();
                throw;
            }
        }
    }

    /// <inheritdoc/>
    public void Rest()
    {
        _engine?.Dispose();
        _engine = null;
        NativeMemory.GiveBack();
    }

    public void Dispose() => _engine?.Dispose();
}
