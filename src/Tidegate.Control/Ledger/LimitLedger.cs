using System.Buffers.Binary;
using System.Security.Cryptography;
using Microsoft.Data.Sqlite;
using Tidegate.Policies.Limits;

namespace Tidegate.Control.Ledger;

/// <summary>
/// Saves the counts of quotas and long rates each second, so that a restart in the middle of a month does not give the month again. A process that is killed loses at
/// most what was counted since the last time. When the disk fails traffic goes on with what is in memory, and the trouble is told and counted.
/// </summary>
internal sealed class LimitLedger : IAsyncDisposable
{
    /// <summary>Within the state directory.</summary>
    public const string FileName = "limits.db";

    // What a kill may cost, against a write to the disk each time; a quota of a month notices neither.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private const int SecretBytes = 16;
    private const int MaxPeriodDays = 366;

    private readonly string _connection;
    private readonly Action<string> _log;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<SavedCount> _changed = [];
    private Task _loop = Task.CompletedTask;
    private long _failures;

    private LimitLedger(string connection, LimitStore store, Action<string> log, TimeProvider time)
    {
        _connection = connection;
        Store = store;
        _log = log;
        _time = time;
    }

    /// <summary>Counts that go on where the last process left them.</summary>
    public LimitStore Store { get; }

    /// <summary>Times that counts could not be saved.</summary>
    public long Failures => Interlocked.Read(ref _failures);

    /// <summary>Opens the ledger, or makes it. When that fails counts begin anew and live in memory; the log says so.</summary>
    public static LimitLedger Open(string directory, Action<string> log, TimeProvider time)
    {
        var connection = new SqliteConnectionStringBuilder { DataSource = Path.Combine(directory, FileName), Mode = SqliteOpenMode.ReadWriteCreate, Pooling = false }.ToString();
        try
        {
            Directory.CreateDirectory(directory);
            using var database = new SqliteConnection(connection);
            database.Open();
            if (!OperatingSystem.IsWindows())
            {
                // It holds the key of the keys.
                File.SetUnixFileMode(Path.Combine(directory, FileName), UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }

            Run(database, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE IF NOT EXISTS secret (bytes BLOB NOT NULL); CREATE TABLE IF NOT EXISTS counts (key BLOB NOT NULL, utc INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (key, utc)) WITHOUT ROWID;");
            Prune(database, time.GetUtcNow());
            return new LimitLedger(connection, new LimitStore(time, Secret(database), Load(database)), log, time);
        }
        catch (Exception unusable) when (unusable is SqliteException or IOException or UnauthorizedAccessException)
        {
            log($"Limits: {Path.Combine(directory, FileName)} cannot be used: {unusable.Message} Quotas begin anew with this process and are not kept. Make the file writable, or move it away if it is broken, and restart.");
            var ledger = new LimitLedger("", new LimitStore(time) { IsLedgerDown = true }, log, time);
            Interlocked.Increment(ref ledger._failures);
            return ledger;
        }
    }

    /// <summary>Begins to save.</summary>
    public void Start() => _loop = _connection.Length == 0 ? Task.CompletedTask : LoopAsync();

    /// <summary>Saves what is left.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        if (_connection.Length > 0)
        {
            Save();
        }

        _stopping.Dispose();
    }

    private async Task LoopAsync()
    {
        using var timer = new PeriodicTimer(Interval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token))
            {
                Save();
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping: DisposeAsync saves the rest.
            return;
        }
    }

    private void Save()
    {
        // What could not be saved is still in the list, and is saved with what comes.
        Store.Cells.TakeChanged(_changed);
        if (_changed.Count == 0)
        {
            return;
        }

        try
        {
            using var database = new SqliteConnection(_connection);
            database.Open();
            using var transaction = database.BeginTransaction();
            Write(database, transaction);
            transaction.Commit();
            _changed.Clear();
            if (Store.IsLedgerDown)
            {
                Store.IsLedgerDown = false;
                _log("Limits: counts are saved again.");
            }
        }
        catch (Exception failed) when (failed is SqliteException or IOException)
        {
            Interlocked.Increment(ref _failures);
            if (!Store.IsLedgerDown)
            {
                Store.IsLedgerDown = true;
                _log($"Limits: counts cannot be saved: {failed.Message} Traffic goes on; a restart would lose what was counted since.");
            }
        }
    }

    private void Write(SqliteConnection database, SqliteTransaction transaction)
    {
        using var delete = Command(database, transaction, "DELETE FROM counts WHERE key = $key");
        using var insert = Command(database, transaction, "INSERT OR REPLACE INTO counts (key, utc, count) VALUES ($key, $utc, $count)");
        foreach (var (key, runs) in _changed)
        {
            var bytes = new byte[SecretBytes];
            BinaryPrimitives.WriteUInt128BigEndian(bytes, key);
            delete.Parameters.Clear();
            delete.Parameters.AddWithValue("$key", bytes);
            delete.ExecuteNonQuery();
            foreach (var run in runs)
            {
                insert.Parameters.Clear();
                insert.Parameters.AddWithValue("$key", bytes);
                insert.Parameters.AddWithValue("$utc", run.UtcTicks);
                insert.Parameters.AddWithValue("$count", run.Count);
                insert.ExecuteNonQuery();
            }
        }
    }

    /// <summary>The key of the keys: without it nobody can tell which consumer a count belongs to.</summary>
    private static UInt128 Secret(SqliteConnection database)
    {
        using var read = Command(database, null, "SELECT bytes FROM secret");
        if (read.ExecuteScalar() is byte[] { Length: SecretBytes } known)
        {
            return BinaryPrimitives.ReadUInt128BigEndian(known);
        }

        var fresh = RandomNumberGenerator.GetBytes(SecretBytes);
        using var write = Command(database, null, "INSERT INTO secret (bytes) VALUES ($bytes)");
        write.Parameters.AddWithValue("$bytes", fresh);
        write.ExecuteNonQuery();
        return BinaryPrimitives.ReadUInt128BigEndian(fresh);
    }

    private static Dictionary<UInt128, IReadOnlyList<SavedRun>> Load(SqliteConnection database)
    {
        var counts = new Dictionary<UInt128, IReadOnlyList<SavedRun>>();
        using var read = Command(database, null, "SELECT key, utc, count FROM counts ORDER BY key, utc");
        using var rows = read.ExecuteReader();
        while (rows.Read())
        {
            var key = BinaryPrimitives.ReadUInt128BigEndian(rows.GetFieldValue<byte[]>(0));
            if (!counts.TryGetValue(key, out var runs))
            {
                counts.Add(key, runs = new List<SavedRun>());
            }

            ((List<SavedRun>)runs).Add(new SavedRun(rows.GetInt64(1), rows.GetInt64(2)));
        }

        return counts;
    }

    /// <summary>Forgets what no limit can still need: no period is longer than 366 days, and a count that has ended says nothing.</summary>
    private static void Prune(SqliteConnection database, DateTimeOffset now)
    {
        using var delete = Command(database, null, "DELETE FROM counts WHERE utc < $oldest");
        delete.Parameters.AddWithValue("$oldest", now.AddDays(-MaxPeriodDays).UtcTicks);
        delete.ExecuteNonQuery();
    }

    private static void Run(SqliteConnection database, string sql)
    {
        using var command = Command(database, null, sql);
        command.ExecuteNonQuery();
    }

    private static SqliteCommand Command(SqliteConnection database, SqliteTransaction? transaction, string sql) => new(sql, database, transaction);
}
