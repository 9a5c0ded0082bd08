using Microsoft.Data.Sqlite;
using Tidegate.Control.Store.Log;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Rollups;

/// <summary>
/// Sums of exchanges in SQLite, with how far into the log they go, in one transaction: after any death the log from there on is counted again, and nothing twice.
/// One thread writes; readers open connections of their own. A cell is one value, because what a view costs is what it asks SQLite for; earlier versions had a column for each sum, in tables of other
/// names: what those have is added to what these have when it is read, until it is old enough to be forgotten.
/// </summary>
internal sealed class RollupDatabase : IDisposable
{
    public const string FileName = "rollups.db";

    /// <summary>The columns of PostgreSQL and of earlier versions, in the order of <see cref="RollupCell.CopySums"/>.</summary>
    public const string Sums = "count, attempts, retries, request_bytes, response_bytes, queue_ticks, policy_ticks, connect_ticks, first_byte_ticks, total_ticks, longest_ticks";

    private readonly SqliteConnection _database;
    // Each is some 300 bytes here; what is not known is asked for.
    private const int MaxKnownKeys = 4 * RollupDelta.MaxKinds;

    // An eighth of the time each: more than that is left for the next minute.
    private const int MaxPrunes = 32;

    private readonly ByteSink _bytes = new();
    private readonly TextPool _texts = new();
    private readonly Dictionary<RollupKey, long> _keys = [];

    /// <exception cref="SqliteException">The file is no such database, or cannot be written.</exception>
    public RollupDatabase(string directory)
    {
        var path = Path.Combine(directory, FileName);
        ConnectionString = new SqliteConnectionStringBuilder { DataSource = path, Pooling = false, DefaultTimeout = 5 }.ToString();
        _database = new SqliteConnection(ConnectionString);
        try
        {
            _database.Open();
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }

            Run($"""
                PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
                CREATE TABLE IF NOT EXISTS position (one INTEGER PRIMARY KEY CHECK (one = 1), sequence INTEGER NOT NULL, offset INTEGER NOT NULL);
                CREATE TABLE IF NOT EXISTS keys (id INTEGER PRIMARY KEY, direction TEXT NOT NULL, api TEXT NOT NULL, endpoint TEXT NOT NULL, method TEXT NOT NULL, status INTEGER NOT NULL, outcome TEXT NOT NULL,
                  reason TEXT NOT NULL, code TEXT NOT NULL, consumer TEXT NOT NULL, tenant TEXT NOT NULL, environment TEXT NOT NULL, destination TEXT NOT NULL, region TEXT NOT NULL, cache TEXT NOT NULL,
                  UNIQUE (direction, api, endpoint, method, status, outcome, reason, code, consumer, tenant, environment, destination, region, cache));
                {string.Join('\n', RollupWidth.All.Select(width => $"CREATE TABLE IF NOT EXISTS {width.Cells} (begin INTEGER NOT NULL, key INTEGER NOT NULL, cell BLOB NOT NULL, PRIMARY KEY (begin, key)) WITHOUT ROWID;"))}
                """);
        }
        catch
        {
            _database.Dispose();
            throw;
        }
    }

    /// <summary>For readers.</summary>
    public string ConnectionString { get; }

    /// <summary>Where in the log the first record is that is not counted yet.</summary>
    public (long Sequence, long Offset) Position()
    {
        using var command = Command("SELECT sequence, offset FROM position");
        using var row = command.ExecuteReader();
        return row.Read() ? (row.GetInt64(0), row.GetInt64(1)) : (0, 0);
    }

    /// <summary>Where the last span ends of which something was saved; 0 while nothing was.</summary>
    public long End(RollupWidth width) => Number($"SELECT COALESCE(MAX(begin) + {width.Ticks}, 0) FROM {width.Cells}");

    /// <summary>Whether the file itself is to blame, and not a full disk or whoever else has it open.</summary>
    public static bool IsBroken(SqliteException trouble) => trouble.SqliteErrorCode is SQLitePCL.raw.SQLITE_CORRUPT or SQLitePCL.raw.SQLITE_NOTADB;

    /// <summary>Moves a broken database out of the way. What belongs to it goes: a new one would take it for its own.</summary>
    public static void SetAside(string directory)
    {
        var path = Path.Combine(directory, FileName);
        File.Move(path, path + Segments.SegmentFile.Corrupt, overwrite: true);
        File.Delete(path + "-wal");
        File.Delete(path + "-shm");
    }

    /// <summary>Saves cells and how far they go.</summary>
    /// <exception cref="SqliteException">Nothing was saved.</exception>
    public void Save(IEnumerable<(string Table, IEnumerable<ChangedCell> Cells)> changed, long sequence, long offset, bool isDurable)
    {
        // In the write-ahead log of SQLite a commit is on the disk only when it is asked to be.
        Run(isDurable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
        if (_keys.Count > MaxKnownKeys)
        {
            _keys.Clear();
        }

        var known = _keys.Count;
        using var transaction = _database.BeginTransaction();
        try
        {
            foreach (var (table, cells) in changed)
            {
                Save(table, cells);
            }

            using var position = Command("INSERT OR REPLACE INTO position (one, sequence, offset) VALUES (1, $sequence, $offset)");
            position.Parameters.AddWithValue("$sequence", sequence);
            position.Parameters.AddWithValue("$offset", offset);
            position.ExecuteNonQuery();
            transaction.Commit();
        }
        catch
        {
            // Keys that were added went back with the rest.
            if (_keys.Count != known)
            {
                _keys.Clear();
            }

            throw;
        }
    }

    /// <summary>What was saved of a cell, to be added to; a new one if nothing was.</summary>
    public RollupCell Load(string table, long begin, RollupKey key)
    {
        var cell = new RollupCell();
        using var command = Command($"SELECT cell FROM {table} WHERE begin = $begin AND key = $key");
        command.Parameters.AddWithValue("$begin", begin);
        command.Parameters.AddWithValue("$key", KeyOf(key));
        if (command.ExecuteScalar() is byte[] saved)
        {
            cell.AddWritten(saved, _texts);
        }

        return cell;
    }

    /// <summary>Forgets what is older than it is kept; and as long as the rest is more than it may be, the oldest of what is told apart best.</summary>
    public void Prune(DateTimeOffset now, long maxBytes)
    {
        foreach (var (table, age) in Tables())
        {
            Run($"DELETE FROM {table} WHERE begin < {(now - age).UtcTicks}");
        }

        for (var tries = 0; UsedBytes() > maxBytes && tries < MaxPrunes; tries++)
        {
            var tables = Tables();
            var table = tables.Select(table => table.Name).FirstOrDefault(table => !IsEmpty(table), tables[^1].Name);
            Run($"DELETE FROM {table} WHERE begin <= (SELECT MIN(begin) + (MAX(begin) - MIN(begin)) / 8 FROM {table})");

            // Names that came once may be most of it.
            if (UsedBytes() > maxBytes)
            {
                ForgetKeys();
            }
        }

        foreach (var earlier in EarlierTables(_database).Where(width => IsEmpty(width.Table)))
        {
            Run($"DROP TABLE {earlier.Table}");
        }
    }

    /// <summary>Forgets kinds of which nothing is kept. Reads everything.</summary>
    public void ForgetKeys()
    {
        Run($"DELETE FROM keys WHERE id NOT IN ({string.Join(" UNION ", Tables().Select(table => $"SELECT key FROM {table.Name}"))})");
        _keys.Clear();
    }

    /// <summary>Which widths an earlier version has left cells of.</summary>
    public static IReadOnlyList<RollupWidth> EarlierTables(SqliteConnection database)
    {
        using var command = database.CreateCommand();
        command.CommandText = "SELECT name FROM sqlite_master WHERE type = 'table'";
        using var row = command.ExecuteReader();
        var names = new HashSet<string>();
        while (row.Read())
        {
            names.Add(row.GetString(0));
        }

        return [.. RollupWidth.All.Where(width => names.Contains(width.Table))];
    }

    public void Dispose() => _database.Dispose();

    /// <summary>All that there are, and how long what is in them is kept: the narrowest first, and what is from earlier versions before what came later.</summary>
    private List<(string Name, TimeSpan Age)> Tables()
    {
        var earlier = EarlierTables(_database);
        return [.. RollupWidth.All.SelectMany<RollupWidth, (string, TimeSpan)>(width => earlier.Contains(width) ? [(width.Table, width.Age), (width.Cells, width.Age)] : [(width.Cells, width.Age)])];
    }

    private bool IsEmpty(string table) => Number($"SELECT EXISTS (SELECT 1 FROM {table})") == 0;

    private void Save(string table, IEnumerable<ChangedCell> cells)
    {
        using var command = Command($"INSERT OR REPLACE INTO {table} (begin, key, cell) VALUES ($begin, $key, $cell)");
        var begin = command.Parameters.Add("$begin", SqliteType.Integer);
        var key = command.Parameters.Add("$key", SqliteType.Integer);
        var cell = command.Parameters.Add("$cell", SqliteType.Blob);
        foreach (var changed in cells)
        {
            begin.Value = changed.Begin;
            key.Value = KeyOf(changed.Key);
            _bytes.Clear();
            changed.Cell.Write(_bytes);
            cell.Value = _bytes.Written.ToArray();
            command.ExecuteNonQuery();
        }
    }

    // What was deleted is used again before the file grows.
    private long UsedBytes() => (Number("PRAGMA page_count") - Number("PRAGMA freelist_count")) * Number("PRAGMA page_size");

    private long Number(string sql)
    {
        using var command = Command(sql);
        return (long)command.ExecuteScalar()!;
    }

    private long KeyOf(RollupKey key)
    {
        if (_keys.TryGetValue(key, out var known))
        {
            return known;
        }

        using var insert = Command("""
            INSERT INTO keys (direction, api, endpoint, method, status, outcome, reason, code, consumer, tenant, environment, destination, region, cache)
            VALUES ($direction, $api, $endpoint, $method, $status, $outcome, $reason, $code, $consumer, $tenant, $environment, $destination, $region, $cache)
            ON CONFLICT DO UPDATE SET status = status RETURNING id
            """);
        insert.Parameters.AddWithValue("$direction", ExchangeWords.Of(key.Direction));
        insert.Parameters.AddWithValue("$api", key.Api);
        insert.Parameters.AddWithValue("$endpoint", key.Endpoint);
        insert.Parameters.AddWithValue("$method", key.Method);
        insert.Parameters.AddWithValue("$status", key.Status);
        insert.Parameters.AddWithValue("$outcome", ExchangeWords.Of(key.Outcome));
        insert.Parameters.AddWithValue("$reason", key.Reason);
        insert.Parameters.AddWithValue("$code", key.Code);
        insert.Parameters.AddWithValue("$consumer", key.Consumer);
        insert.Parameters.AddWithValue("$tenant", key.Tenant);
        insert.Parameters.AddWithValue("$environment", key.Environment);
        insert.Parameters.AddWithValue("$destination", key.Destination);
        insert.Parameters.AddWithValue("$region", key.Region);
        insert.Parameters.AddWithValue("$cache", ExchangeWords.Of(key.Cache));
        return _keys[key] = (long)insert.ExecuteScalar()!;
    }

    private void Run(string sql)
    {
        using var command = Command(sql);
        command.ExecuteNonQuery();
    }

    private SqliteCommand Command(string sql)
    {
        var command = _database.CreateCommand();
#pragma warning disable CA2100 // Names of tables and numbers of this class; whatever comes from outside is a parameter.
        command.CommandText = sql;
#pragma warning restore CA2100
        return command;
    }
}
