using Microsoft.Data.Sqlite;
using Tidegate.Control.Store.Log;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Rollups;

/// <summary>
/// Minutes and hours of exchanges in SQLite, with how far into the log they go, in one transaction: after any death the log from there on is counted again, and nothing twice.
/// One thread writes; readers open connections of their own.
/// </summary>
internal sealed class RollupDatabase : IDisposable
{
    public const string FileName = "rollups.db";

    public static readonly long MinuteTicks = TimeSpan.TicksPerMinute;
    public static readonly long HourTicks = TimeSpan.TicksPerHour;

    private const string Sums = "count, attempts, retries, request_bytes, response_bytes, queue_ticks, policy_ticks, connect_ticks, first_byte_ticks, total_ticks, longest_ticks";

    private readonly SqliteConnection _database;
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
                {Table("minutes")}
                {Table("hours")}
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

    /// <summary>Saves cells and how far they go.</summary>
    /// <exception cref="SqliteException">Nothing was saved.</exception>
    public void Save(IReadOnlyList<SavedCell> minutes, IReadOnlyList<SavedCell> hours, long sequence, long offset)
    {
        var known = _keys.Count;
        using var transaction = _database.BeginTransaction();
        try
        {
            Save("minutes", minutes);
            Save("hours", hours);
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
        using var command = Command($"SELECT {Sums}, sketches FROM {table} WHERE begin = $begin AND key = $key");
        command.Parameters.AddWithValue("$begin", begin);
        command.Parameters.AddWithValue("$key", KeyOf(key));
        using var row = command.ExecuteReader();
        if (row.Read())
        {
            Span<long> sums = stackalloc long[RollupCell.SumCount];
            for (var i = 0; i < sums.Length; i++)
            {
                sums[i] = row.GetInt64(i);
            }

            cell.AddSaved(sums, row.GetFieldValue<byte[]>(RollupCell.SumCount), _texts);
        }

        return cell;
    }

    /// <summary>What is saved is on the disk when this returns: the log up to there is not needed any more.</summary>
    public void Checkpoint() => Run("PRAGMA wal_checkpoint(TRUNCATE)");

    /// <summary>Forgets what began before the given times.</summary>
    public void Prune(long minutesBefore, long hoursBefore)
    {
        Run($"DELETE FROM minutes WHERE begin < {minutesBefore}; DELETE FROM hours WHERE begin < {hoursBefore};");
        Run("DELETE FROM keys WHERE id NOT IN (SELECT key FROM minutes) AND id NOT IN (SELECT key FROM hours)");
        _keys.Clear();
    }

    public void Dispose() => _database.Dispose();

    private static string Table(string name) => $"CREATE TABLE IF NOT EXISTS {name} (begin INTEGER NOT NULL, key INTEGER NOT NULL, {Sums.Replace(",", " INTEGER NOT NULL,", StringComparison.Ordinal)} INTEGER NOT NULL, sketches BLOB NOT NULL, PRIMARY KEY (begin, key)) WITHOUT ROWID;";

    private void Save(string table, IReadOnlyList<SavedCell> cells)
    {
        using var command = Command($"INSERT OR REPLACE INTO {table} (begin, key, {Sums}, sketches) VALUES ($begin, $key, $s0, $s1, $s2, $s3, $s4, $s5, $s6, $s7, $s8, $s9, $s10, $sketches)");
        var begin = command.Parameters.Add("$begin", SqliteType.Integer);
        var key = command.Parameters.Add("$key", SqliteType.Integer);
        var sums = Enumerable.Range(0, RollupCell.SumCount).Select(i => command.Parameters.Add("$s" + i, SqliteType.Integer)).ToArray();
        var sketches = command.Parameters.Add("$sketches", SqliteType.Blob);
        foreach (var cell in cells)
        {
            begin.Value = cell.Begin;
            key.Value = KeyOf(cell.Key);
            for (var i = 0; i < sums.Length; i++)
            {
                sums[i].Value = cell.Sums[i];
            }

            sketches.Value = cell.Sketches;
            command.ExecuteNonQuery();
        }
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

/// <summary>A cell as it was at one moment.</summary>
/// <param name="Begin">Ticks of UTC.</param>
/// <param name="Key">Whose.</param>
/// <param name="Sums">In the order of <see cref="RollupCell.CopySums"/>.</param>
/// <param name="Sketches">What <see cref="RollupCell.WriteSketches"/> wrote.</param>
internal readonly record struct SavedCell(long Begin, RollupKey Key, long[] Sums, byte[] Sketches);
