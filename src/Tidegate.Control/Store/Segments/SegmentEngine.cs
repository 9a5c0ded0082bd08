using System.Globalization;
using DuckDB.NET.Data;
using Tidegate.Control.Store.Log;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Segments;

/// <summary>
/// DuckDB in memory: one thread, bounded memory, and no file but those of the store's directory. Made when it is needed and given up afterwards, so that a gateway at which nobody looks
/// does not carry it. Not thread-safe.
/// </summary>
internal sealed class SegmentEngine : IDisposable
{
    private const string MemoryLimit = "256MB";

    // What does not fit into that, for a wide search over a busy hour.
    private const string SpillLimit = "1GB";

    private readonly DuckDBConnection _database = new("DataSource=:memory:");
    private readonly Dictionary<long, LogReader> _tails = [];

    /// <param name="directory">The only one that it may read and write.</param>
    public SegmentEngine(string directory)
    {
        _database.Open();
        var folder = Path.GetFullPath(directory) + Path.DirectorySeparatorChar;
        Run($"SET threads = 1; SET memory_limit = '{MemoryLimit}'; SET temp_directory = {Literal(folder + "spill")}; SET max_temp_directory_size = '{SpillLimit}'; SET autoinstall_known_extensions = false; SET autoload_known_extensions = false;");
        Run($"SET allowed_directories = [{Literal(folder)}]; SET enable_external_access = false; SET lock_configuration = true;");
        Run($"CREATE TABLE tail ({ExchangeTable.Columns}, log BIGINT)");
    }

    /// <summary>Makes a segment of a file of the log; a file of which nothing can be read makes none.</summary>
    /// <param name="log">Its path.</param>
    /// <param name="sequence">Its number.</param>
    /// <param name="directory">Where the segment goes.</param>
    /// <returns>Its path; null when there is none.</returns>
    public string? MakeSegment(string log, long sequence, string directory)
    {
        var earliest = DateTimeOffset.MaxValue;
        var latest = DateTimeOffset.MinValue;
        Run($"CREATE TABLE segment ({ExchangeTable.Columns})");
        using (var reader = new LogReader(log))
        using (var appender = _database.CreateAppender("segment"))
        {
            while (reader.Next() is { } records)
            {
                foreach (ref readonly var record in records.AsSpan())
                {
                    ExchangeTable.Add(appender, in record);
                    earliest = record.Started < earliest ? record.Started : earliest;
                    latest = record.Started > latest ? record.Started : latest;
                }
            }
        }

        if (latest < earliest)
        {
            Run("DROP TABLE segment");
            return null;
        }

        var path = Path.Combine(directory, SegmentFile.Name(sequence, earliest, latest));
        var unfinished = path + SegmentFile.Unfinished;
        Run($"COPY segment TO {Literal(unfinished)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)");
        Run("DROP TABLE segment");
        using (var file = File.OpenHandle(unfinished, FileMode.Open, FileAccess.ReadWrite))
        {
            RandomAccess.FlushToDisk(file);
        }

        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(unfinished, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        // From here on the segment counts and the log file does not.
        File.Move(unfinished, path, overwrite: true);
        return path;
    }

    /// <summary>Whether a search can be made in one segment.</summary>
    public bool CanFind(ExchangeSearch search, SegmentFile segment, CancellationToken cancellationToken)
    {
        try
        {
            Find(search, [segment], [], cancellationToken);
            return true;
        }
        catch (DuckDBException)
        {
            // What is wrong with it does not matter: whoever asks sets it aside.
            return false;
        }
    }

    /// <summary>Finds exchanges, newest first.</summary>
    /// <param name="search">Which.</param>
    /// <param name="segments">Where they may be.</param>
    /// <param name="logs">And what is not in a segment yet.</param>
    /// <param name="cancellationToken">Ends the query where it is.</param>
    /// <exception cref="DuckDBException">A segment cannot be read, for example.</exception>
    public IReadOnlyList<ExchangeRecord> Find(ExchangeSearch search, IReadOnlyList<SegmentFile> segments, IReadOnlyList<LogFile> logs, CancellationToken cancellationToken)
    {
        LoadTails(logs);
        using var command = _database.CreateCommand();
        var files = segments.Where(segment => segment.To >= search.From && segment.From <= search.To).ToList();

        // By name: what an older program wrote lacks columns, which are nothing there.
        var source = files.Count == 0 ? "" : $" UNION ALL BY NAME SELECT * FROM read_parquet([{string.Join(", ", files.Select(file => Literal(file.Path)))}], union_by_name = true)";
        command.CommandText = $"SELECT * FROM (SELECT * EXCLUDE (log) FROM tail{source}) WHERE {search.Condition(command)} ORDER BY started DESC, id DESC LIMIT {search.Limit.ToString(CultureInfo.InvariantCulture)}";
        using var cancelled = cancellationToken.UnsafeRegister(static command => ((DuckDBCommand)command!).Cancel(), command);
        var found = new List<ExchangeRecord>();
        using var row = command.ExecuteReader();
        while (row.Read())
        {
            found.Add(ExchangeTable.Read(row));
        }

        return found;
    }

    public void Dispose()
    {
        foreach (var reader in _tails.Values)
        {
            reader.Dispose();
        }

        _database.Dispose();
    }

    /// <summary>What is in the log and in no segment, as a table that grows with it.</summary>
    private void LoadTails(IReadOnlyList<LogFile> logs)
    {
        foreach (var gone in _tails.Keys.Except(logs.Select(log => log.Sequence)).ToList())
        {
            Run(string.Create(CultureInfo.InvariantCulture, $"DELETE FROM tail WHERE log = {gone}"));
            _tails.Remove(gone, out var reader);
            reader!.Dispose();
        }

        foreach (var log in logs)
        {
            if (!_tails.TryGetValue(log.Sequence, out var reader))
            {
                _tails.Add(log.Sequence, reader = new LogReader(log.Path));
            }

            using var appender = _database.CreateAppender("tail");
            while (reader.Offset < log.Length && reader.Next() is { } records)
            {
                foreach (ref readonly var record in records.AsSpan())
                {
                    ExchangeTable.Add(appender, in record, log.Sequence);
                }
            }
        }
    }

    private static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    private void Run(string sql)
    {
        using var command = _database.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}

/// <summary>A file of the log as far as it is whole.</summary>
internal readonly record struct LogFile(string Path, long Sequence, long Length);
