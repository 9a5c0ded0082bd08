using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.Data.Sqlite;
using Tidegate.Policies.Limits;

namespace Tidegate.Control.Ledger;

/// <summary>
/// Saves the counts of quotas and long rates, and a provider's long cool-downs, each second, so that a restart in the middle of a month does not give the month again. A process that is killed loses at
/// most what was counted since the last time. When the disk fails traffic goes on with what is in memory, and the trouble is told and counted.
/// </summary>
internal sealed class LimitLedger : IAsyncDisposable
{
    /// <summary>Within the state directory.</summary>
    public const string FileName = "limits.db";

    // What a kill may cost, against a write to the disk each time; a quota of a month notices neither.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private const int SecretBytes = 16;

    // As many as there can be in memory.
    private const int MaxPending = LimitCells.DefaultCapacity;
    private static readonly TimeSpan PruneInterval = TimeSpan.FromMinutes(10);

    private readonly string _directory;
    private readonly ConcurrentDictionary<UInt128, IReadOnlyList<SavedRun>> _saved;
    private readonly Action<string> _log;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stopping = new();
    private readonly List<SavedCount> _changed = [];

    // What could not be saved yet: of each count only the latest.
    private readonly Dictionary<UInt128, SavedCount> _pending = [];

    // Of the file and what is pending: a reload may want it open while the loop saves.
    private readonly Lock _gate = new();
    private Task _loop = Task.CompletedTask;
    private bool _isNeeded;
    private bool _isOpen;
    private long _failures;
    private long _nextPrune;

    private LimitLedger(string directory, UInt128 secret, ConcurrentDictionary<UInt128, IReadOnlyList<SavedRun>> saved, Action<string> log, TimeProvider time)
    {
        _directory = directory;
        _saved = saved;
        Store = new LimitStore(time, secret, saved);
        _log = log;
        _time = time;
    }

    /// <summary>Counts that go on where the last process left them.</summary>
    public LimitStore Store { get; }

    /// <summary>Times that counts could not be saved.</summary>
    public long Failures => Interlocked.Read(ref _failures);

    /// <summary>Opens the ledger, or makes it. When that fails counts begin anew and live in memory; the log says so, and it is tried again each second.</summary>
    /// <param name="directory">Where.</param>
    /// <param name="log">Who is told of trouble.</param>
    /// <param name="time">The clock.</param>
    /// <param name="isNeeded">Whether there are such limits. Without any a file that is there is opened all the same, because it has the key of all keys; none is made.</param>
    public static LimitLedger Open(string directory, Action<string> log, TimeProvider time, bool isNeeded = true)
    {
        var fresh = BinaryPrimitives.ReadUInt128BigEndian(RandomNumberGenerator.GetBytes(SecretBytes));
        Exception? failure = null;
        if (isNeeded || File.Exists(Path.Combine(directory, FileName)))
        {
            try
            {
                var (secret, saved) = Read(directory, fresh, time);
                return new LimitLedger(directory, secret, saved, log, time) { _isNeeded = isNeeded, _isOpen = true };
            }
            catch (Exception unusable) when (IsTrouble(unusable))
            {
                failure = unusable;
            }
        }

        var ledger = new LimitLedger(directory, fresh, [], log, time) { _isNeeded = isNeeded };
        if (failure is not null)
        {
            ledger.Fail($"{ledger.CannotBeUsed(failure.Message)} Quotas begin anew with this process and are not kept. Make the file writable, or move it away if it is broken; it is tried again each second.");
        }

        return ledger;
    }

    /// <summary>Counts that outlive the process are about to be in force: the file is opened, or the store says that it could not be.</summary>
    public void Need()
    {
        lock (_gate)
        {
            _isNeeded = true;
            if (!_isOpen && TryOpen())
            {
                Recover();
            }
        }
    }

    /// <summary>Begins to save.</summary>
    public void Start() => _loop = LoopAsync();

    /// <summary>Saves what is left.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        Save();
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
        lock (_gate)
        {
            Store.Cells.TakeChanged(_changed);
            foreach (var count in _changed)
            {
                if (_pending.Count < MaxPending || _pending.ContainsKey(count.Key))
                {
                    _pending[count.Key] = count;
                }
            }

            _changed.Clear();
            if (!_isOpen && !_isNeeded && !_pending.Values.Any(count => count.Runs.Count > 0))
            {
                // Cool-downs that are over soon are no reason to make a file.
                _pending.Clear();
                return;
            }

            if (!_isOpen && !TryOpen())
            {
                return;
            }

            if (_pending.Count == 0 || TryWrite())
            {
                Recover();
            }
        }
    }

    private bool TryWrite()
    {
        try
        {
            using var database = Connect(_directory);
            using var transaction = database.BeginTransaction();
            Write(database, transaction);
            if (_time.GetTimestamp() >= _nextPrune)
            {
                Prune(database, transaction, _time.GetUtcNow());
                _nextPrune = _time.GetTimestamp() + ((long)PruneInterval.TotalSeconds * _time.TimestampFrequency);
            }

            transaction.Commit();
            _pending.Clear();
            return true;
        }
        catch (Exception failed) when (IsTrouble(failed))
        {
            Fail($"Limits: counts cannot be saved: {failed.Message} Traffic goes on, except where a limit says on_error: deny; a restart would lose what was counted since.");
            return false;
        }
    }

    /// <summary>Opens the file while counts are in memory already, under the key that they have.</summary>
    private bool TryOpen()
    {
        try
        {
            var (secret, saved) = Read(_directory, Store.Secret, _time);
            if (secret != Store.Secret)
            {
                Fail($"{CannotBeUsed("it has counts of another process that this one did not find when it started.")} Restart to go on with them, or move the file away.");
                return false;
            }

            foreach (var (key, runs) in saved)
            {
                _saved.TryAdd(key, runs);
            }

            _isOpen = true;
            return true;
        }
        catch (Exception unusable) when (IsTrouble(unusable))
        {
            Fail($"{CannotBeUsed(unusable.Message)} Counts that should outlive a restart are in memory only. Make the file writable, or move it away if it is broken; it is tried again each second.");
            return false;
        }
    }

    private string CannotBeUsed(string why) => $"Limits: {Path.Combine(_directory, FileName)} cannot be used: {why}";

    private void Fail(string line)
    {
        Interlocked.Increment(ref _failures);
        if (!Store.IsLedgerDown)
        {
            Store.IsLedgerDown = true;
            _log(line);
        }
    }

    private void Recover()
    {
        if (Store.IsLedgerDown)
        {
            Store.IsLedgerDown = false;
            _log("Limits: counts are saved again.");
        }
    }

    private static bool IsTrouble(Exception exception) => exception is SqliteException or IOException or UnauthorizedAccessException;

    private static SqliteConnection Connect(string directory)
    {
        var database = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = Path.Combine(directory, FileName), Mode = SqliteOpenMode.ReadWriteCreate, Pooling = false }.ToString());
        database.Open();
        return database;
    }

    private static (UInt128 Secret, ConcurrentDictionary<UInt128, IReadOnlyList<SavedRun>> Saved) Read(string directory, UInt128 fresh, TimeProvider time)
    {
        Directory.CreateDirectory(directory);
        using var database = Connect(directory);
        if (!OperatingSystem.IsWindows())
        {
            // It holds the key of the keys.
            File.SetUnixFileMode(Path.Combine(directory, FileName), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        Run(database, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE IF NOT EXISTS secret (bytes BLOB NOT NULL); CREATE TABLE IF NOT EXISTS limit_counts (key BLOB NOT NULL, utc INTEGER NOT NULL, count INTEGER NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (key, utc)) WITHOUT ROWID; CREATE INDEX IF NOT EXISTS limit_counts_expires ON limit_counts (expires);");
        Prune(database, null, time.GetUtcNow());
        return (Secret(database, fresh), Load(database));
    }

    private void Write(SqliteConnection database, SqliteTransaction transaction)
    {
        using var delete = Command(database, transaction, "DELETE FROM limit_counts WHERE key = $key");
        using var insert = Command(database, transaction, "INSERT OR REPLACE INTO limit_counts (key, utc, count, expires) VALUES ($key, $utc, $count, $expires)");
        foreach (var (key, runs, expires) in _pending.Values)
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
                insert.Parameters.AddWithValue("$expires", expires);
                insert.ExecuteNonQuery();
            }
        }
    }

    /// <summary>The key of the keys: without it nobody can tell which consumer a count belongs to.</summary>
    private static UInt128 Secret(SqliteConnection database, UInt128 fresh)
    {
        using var read = Command(database, null, "SELECT bytes FROM secret");
        if (read.ExecuteScalar() is byte[] { Length: SecretBytes } known)
        {
            return BinaryPrimitives.ReadUInt128BigEndian(known);
        }

        var bytes = new byte[SecretBytes];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, fresh);
        using var write = Command(database, null, "INSERT INTO secret (bytes) VALUES ($bytes)");
        write.Parameters.AddWithValue("$bytes", bytes);
        write.ExecuteNonQuery();
        return fresh;
    }

    private static ConcurrentDictionary<UInt128, IReadOnlyList<SavedRun>> Load(SqliteConnection database)
    {
        var counts = new ConcurrentDictionary<UInt128, IReadOnlyList<SavedRun>>();
        using var read = Command(database, null, $"SELECT key, utc, count FROM limit_counts ORDER BY key, utc LIMIT {LimitCells.DefaultCapacity}");
        using var rows = read.ExecuteReader();
        while (rows.Read())
        {
            var key = BinaryPrimitives.ReadUInt128BigEndian(rows.GetFieldValue<byte[]>(0));
            if (!counts.TryGetValue(key, out var runs))
            {
                counts[key] = runs = new List<SavedRun>();
            }

            ((List<SavedRun>)runs).Add(new SavedRun(rows.GetInt64(1), rows.GetInt64(2)));
        }

        return counts;
    }

    /// <summary>Forgets what says no more than a fresh count: callers choose the keys of some limits, and would fill the disk.</summary>
    private static void Prune(SqliteConnection database, SqliteTransaction? transaction, DateTimeOffset now)
    {
        using var delete = Command(database, transaction, "DELETE FROM limit_counts WHERE expires <= $now");
        delete.Parameters.AddWithValue("$now", now.UtcTicks);
        delete.ExecuteNonQuery();
    }

    private static void Run(SqliteConnection database, string sql)
    {
        using var command = Command(database, null, sql);
        command.ExecuteNonQuery();
    }

    private static SqliteCommand Command(SqliteConnection database, SqliteTransaction? transaction, string sql) => new(sql, database, transaction);
}
