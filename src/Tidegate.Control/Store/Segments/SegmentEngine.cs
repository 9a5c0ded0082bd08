using System.Globalization;
using DuckDB.NET.Data;
using Microsoft.Win32.SafeHandles;
using Tidegate.Control.Store.Log;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Segments;

/// <summary>
/// DuckDB in memory: one thread, bounded memory, and no file but those of the store's directory. Made when it is needed and given up afterwards, so that a gateway at which nobody looks
/// does not carry it. Not thread-safe.
/// </summary>
internal sealed class SegmentEngine : IDisposable
{
    private const string SearchMemory = "256MB";

    // A row group is put together in memory: with four times the rows a segment is as large and takes twice the memory.
    private const string SegmentMemory = "128MB";
    private const int RowGroup = 30_720;

    // What does not fit into that, for a wide search over a busy hour.
    private const string SpillLimit = "1GB";

    // Opened together, the newest first: a page is often full after the first few, and one that cannot be read is found soon.
    private const int FilesAtOnce = 16;

    private readonly DuckDBConnection _database = new("DataSource=:memory:");
    private readonly Dictionary<long, LogReader> _tails = [];
    private readonly Action<SafeFileHandle> _flushToDisk;

    /// <param name="directory">The only one that it may read and write.</param>
    /// <param name="flushToDisk">It makes segments, which this brings to the disk; null: it searches them.</param>
    public SegmentEngine(string directory, Action<SafeFileHandle>? flushToDisk = null)
    {
        _flushToDisk = flushToDisk ?? RandomAccess.FlushToDisk;
        _database.Open();
        var folder = Path.GetFullPath(directory) + Path.DirectorySeparatorChar;
        Run($"SET threads = 1; SET memory_limit = '{(flushToDisk is not null ? SegmentMemory : SearchMemory)}'; SET temp_directory = {Literal(folder + "spill")}; SET max_temp_directory_size = '{SpillLimit}'; SET autoinstall_known_extensions = false; SET autoload_known_extensions = false;");
        Run($"SET allowed_directories = [{Literal(folder)}]; SET enable_external_access = false; SET lock_configuration = true;");
        Run($"CREATE TABLE tail ({ExchangeTable.Columns}, log BIGINT)");
    }

    /// <summary>Makes a segment of a file of the log; a file of which nothing can be read makes none.</summary>
    /// <param name="log">Its path.</param>
    /// <param name="sequence">Its number.</param>
    /// <param name="directory">Where the segment goes.</param>
    /// <returns>Its path, null when there is none; and what is wrong with the log, null when nothing is.</returns>
    public (string? Path, string? Problem) MakeSegment(string log, long sequence, string directory)
    {
        var earliest = DateTimeOffset.MaxValue;
        var latest = DateTimeOffset.MinValue;
        string? problem = null;
        Run($"CREATE OR REPLACE TABLE segment ({ExchangeTable.Columns})");
        using (var reader = new LogReader(log))
        using (var appender = _database.CreateAppender("segment"))
        {
            try
            {
                while (reader.Next() is { } records)
                {
                    foreach (ref readonly var record in records.AsSpan())
                    {
                        var row = SegmentRow.Begin(appender);
                        ExchangeTable.Add(row, in record);
                        row.End();
                        earliest = record.Started < earliest ? record.Started : earliest;
                        latest = record.Started > latest ? record.Started : latest;
                    }
                }

                problem = reader.Damage;
            }
            catch (InvalidDataException strange)
            {
                problem = LogProblem.Of(strange);
            }
        }

        if (latest < earliest)
        {
            return (null, problem);
        }

        var path = Path.Combine(directory, SegmentFile.Name(sequence, sequence, earliest, latest));
        Copy("segment", path);
        Run("DROP TABLE segment");
        return (path, problem);
    }

    /// <summary>Makes one segment of several that follow one another.</summary>
    public string Merge(IReadOnlyList<SegmentFile> parts, string directory)
    {
        var path = Path.Combine(directory, SegmentFile.Name(parts[0].First, parts[^1].Last, parts.Min(part => part.From), parts.Max(part => part.To).AddSeconds(-1)));
        Copy($"(SELECT {ExchangeTable.Names} FROM ({Rows(parts)}))", path);
        return path;
    }

    /// <summary>Whether all of a segment can be read.</summary>
    /// <exception cref="OperationCanceledException">That is not known.</exception>
    public bool CanRead(SegmentFile segment, CancellationToken cancellationToken)
    {
        try
        {
            using var command = Command($"SELECT count(*) FROM read_parquet([{Literal(segment.Path)}]) AS row WHERE hash(row) = 0");
            using var cancelled = cancellationToken.UnsafeRegister(static command => ((DuckDBCommand)command!).Cancel(), command);
            command.ExecuteScalar();
            return true;
        }
        catch (DuckDBException)
        {
            // What is wrong with it does not matter: whoever asks sets it aside.
            cancellationToken.ThrowIfCancellationRequested();
            return false;
        }
    }

    /// <summary>Finds exchanges, newest first.</summary>
    /// <param name="search">Which.</param>
    /// <param name="segments">Where they may be.</param>
    /// <param name="logs">And what is not in a segment yet.</param>
    /// <param name="cancellationToken">Ends the query where it is.</param>
    /// <exception cref="SegmentTroubleException">One of some segments cannot be read, for example.</exception>
    /// <exception cref="DuckDBException">What is in the log cannot be searched.</exception>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public IReadOnlyList<ExchangeRecord> Find(ExchangeSearch search, IReadOnlyList<SegmentFile> segments, IReadOnlyList<LogFile> logs, CancellationToken cancellationToken)
    {
        LoadTails(logs, cancellationToken);
        var until = search.After is { } after && after.Started < search.To ? after.Started : search.To;
        var files = segments.Where(segment => segment.To >= search.From && segment.From <= until).OrderByDescending(segment => segment.To).ToList();
        var found = Find(search, "tail", cancellationToken);
        for (var i = 0; i < files.Count && (found.Count < search.Limit || found[^1].Started <= files[i].To); i += FilesAtOnce)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var some = files.Slice(i, Math.Min(FilesAtOnce, files.Count - i));
            try
            {
                found.AddRange(Find(search, $"({Rows(some)})", cancellationToken));
            }
            catch (DuckDBException trouble)
            {
                throw new SegmentTroubleException(some, trouble);
            }

            found = [.. found.OrderByDescending(record => record.Started).ThenByDescending(record => record.Id).Take(search.Limit)];
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

    /// <summary>Columns go by their names: a segment of an earlier version has fewer of them.</summary>
    private static string Rows(IReadOnlyList<SegmentFile> files) =>
        $"SELECT * EXCLUDE (log) FROM tail WHERE false UNION ALL BY NAME SELECT * FROM read_parquet([{string.Join(", ", files.Select(file => Literal(file.Path)))}], union_by_name = true)";

    private static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    private void Copy(string source, string path)
    {
        var unfinished = path + SegmentFile.Unfinished;
        try
        {
            Run($"COPY {source} TO {Literal(unfinished)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {RowGroup})");
            using (var file = File.OpenHandle(unfinished, FileMode.Open, FileAccess.ReadWrite))
            {
                _flushToDisk(file);
            }

            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(unfinished, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }
        }
        catch
        {
            // On a full disk it would take what the log needs.
            File.Delete(unfinished);
            throw;
        }

        // From here on the segment counts and what it was made of does not.
        File.Move(unfinished, path, overwrite: true);
    }

    private List<ExchangeRecord> Find(ExchangeSearch search, string source, CancellationToken cancellationToken)
    {
        using var command = Command("");
        command.CommandText = $"SELECT {ExchangeTable.Names} FROM {source} WHERE {search.Condition(command)} ORDER BY started DESC, id DESC LIMIT {search.Limit.ToString(CultureInfo.InvariantCulture)}";
        using var cancelled = cancellationToken.UnsafeRegister(static command => ((DuckDBCommand)command!).Cancel(), command);
        var found = new List<ExchangeRecord>();
        try
        {
            using var row = command.ExecuteReader();
            while (row.Read())
            {
                found.Add(ExchangeTable.Read(row));
            }
        }
        catch (DuckDBException)
        {
            // What was ended says nothing about what it read.
            cancellationToken.ThrowIfCancellationRequested();
            throw;
        }

        return found;
    }

    /// <summary>What is in the log and in no segment, as a table that grows with it.</summary>
    private void LoadTails(IReadOnlyList<LogFile> logs, CancellationToken cancellationToken)
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

            LoadTail(log, reader, cancellationToken);
        }
    }

    private void LoadTail(LogFile log, LogReader reader, CancellationToken cancellationToken)
    {
        using var appender = _database.CreateAppender("tail");
        try
        {
            while (reader.Offset < log.Length && reader.Next() is { } records)
            {
                foreach (ref readonly var record in records.AsSpan())
                {
                    var row = SegmentRow.Begin(appender);
                    ExchangeTable.Add(row, in record);
                    row.AppendValue(log.Sequence).End();
                }

                cancellationToken.ThrowIfCancellationRequested();
            }
        }
        catch (InvalidDataException)
        {
            // The log is set aside, and said to be broken, when it is made a segment.
            return;
        }
    }

    private void Run(string sql)
    {
        using var command = Command(sql);
        command.ExecuteNonQuery();
    }

    private DuckDBCommand Command(string sql)
    {
        var command = _database.CreateCommand();
#pragma warning disable CA2100 // Names of this class and of the store's files; whatever comes from outside is a parameter.
        command.CommandText = sql;
#pragma warning restore CA2100
        return command;
    }
}

/// <summary>One of some segments may be broken.</summary>
internal sealed class SegmentTroubleException(IReadOnlyList<SegmentFile> segments, Exception trouble) : IOException(trouble.Message, trouble)
{
    public IReadOnlyList<SegmentFile> Segments => segments;
}

/// <summary>A file of the log as far as it is whole.</summary>
internal readonly record struct LogFile(string Path, long Sequence, long Length);
