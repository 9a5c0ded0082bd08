using System.Data;
using System.Globalization;
using System.Security.Cryptography;
using Npgsql;
using Tidegate.Control.Store.Rollups;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Postgres;

/// <summary>
/// Keeps the exchanges of several gateways in one PostgreSQL. What comes waits in memory, up to a bound, and goes to the database each second from a thread of its own: in an outage it waits,
/// and what finds no room is counted and lost. What was committed is never written twice.
/// </summary>
internal sealed class PostgresStore : IExchangeStore
{
    // Five seconds of heavy traffic.
    public const int DefaultMaxWaiting = 100_000;

    // A kilobyte for each of those; clients choose how long theirs are.
    public const long DefaultMaxWaitingBytes = 100_000_000;

    // What one transaction holds, so that it stays short.
    private const int MaxBatch = 20_000;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRest = TimeSpan.FromMinutes(1);

    private readonly Lock _databaseGate = new();
    private readonly StoreSettings _settings;
    private readonly Action<string> _log;
    private readonly TimeProvider _time;
    private readonly Func<NpgsqlConnection, DateTimeOffset> _databaseNow;
    private readonly string _most;
    private readonly NpgsqlDataSource _database;
    private readonly PostgresBatch _batch = new(BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long))));
    private readonly IReadOnlyList<(string Name, RollupTable Table)> _tables;
    private readonly StoreLoop _loop;
    private readonly PostgresBacklog _backlog;

    // Merged into the sums, and not known to be in the database.
    private readonly List<ExchangeRecord[]> _writing = [];
    private long _number;
    private bool _isMade;
    private long _nextUpkeep;
    private long _bytes;
    private long _failures;

    // Refused, or left at the end.
    private long _lost;
    private long _toldNoRoom;
    private int _isLosing;
    private readonly ToldOnce _outage;
    private readonly ToldOnce _refusal;
    private readonly ToldOnce _upkeep;

    public PostgresStore(
        string connection,
        StoreSettings settings,
        Action<string> log,
        TimeProvider time,
        int maxWaiting = DefaultMaxWaiting,
        long maxWaitingBytes = DefaultMaxWaitingBytes,
        Func<NpgsqlConnection, DateTimeOffset>? databaseNow = null)
    {
        _settings = settings;
        _log = log;
        (_outage, _refusal, _upkeep) = (new ToldOnce(log), new ToldOnce(log), new ToldOnce(log));
        _time = time;
        _databaseNow = databaseNow ?? PostgresRetention.Now;
        _most = string.Create(CultureInfo.InvariantCulture, $"{maxWaiting} or {maxWaitingBytes / 1_000_000} MB at most");
        _backlog = new PostgresBacklog(maxWaiting, maxWaitingBytes);
        var address = new NpgsqlConnectionStringBuilder(connection);
        Place = $"PostgreSQL at {address.Host}/{address.Database}";
        _database = NpgsqlDataSource.Create(connection);
        _loop = new StoreLoop(
            "Tidegate store",
            () =>
            {
                BringToDatabase();

                // What came meanwhile, when the last batch was not full; or all of it, after a failure.
                return !_backlog.IsEmpty;
            },
            Interval,
            LongestRest);

        // Of this process alone: nothing was saved before it began.
        _tables = [.. RollupWidth.All.Select(width => (width.Table, new RollupTable(width.Ticks, 0, (begin, key) => _batch.Load(width.Table, begin, key))))];
    }

    /// <inheritdoc/>
    public string Name => "store";

    /// <inheritdoc/>
    public long Failures => Interlocked.Read(ref _failures);

    /// <inheritdoc/>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <inheritdoc/>
    public long Dropped => _backlog.NoRoom + Interlocked.Read(ref _lost);

    /// <summary>None: the files are the database's.</summary>
    public long SetAsideFiles => 0;

    /// <inheritdoc/>
    public EngineMemory Memory => _settings.Memory;

    /// <inheritdoc/>
    public string Place { get; }

    /// <inheritdoc/>
    public string? Folder => _settings.Directory.Length == 0 ? null : _settings.Directory;

    /// <inheritdoc/>
    public void Start() => _loop.Start();

    /// <inheritdoc/>
    public IStoreSource OpenSource() => new PostgresSource(_database);

    /// <inheritdoc/>
    public ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        if (!_backlog.TryAdd(batch.Span) && Interlocked.Exchange(ref _isLosing, 1) == 0)
        {
            _log($"Exchanges come faster than PostgreSQL takes them: {_most} wait, and what finds no room is lost until that changes. Traffic goes on. Counted in tidegate_store_dropped_total.");
        }

        _loop.Wake();
        return default;
    }

    public async ValueTask DisposeAsync()
    {
        await _loop.DisposeAsync();
        BringToDatabase();
        if (_backlog.Close() is > 0 and var left)
        {
            Interlocked.Add(ref _lost, left);
            _log($"{left} exchanges could not be brought to PostgreSQL before the end and are lost.");
        }

        await _database.DisposeAsync();
    }

    /// <summary>What the loop does each second.</summary>
    internal void BringToDatabase()
    {
        lock (_databaseGate)
        {
            try
            {
                using var connection = _batch.Connection = _database.OpenConnection();
                if (!_isMade)
                {
                    PostgresSchema.Make(connection);
                    _isMade = true;
                }

                bool isMore;
                do
                {
                    // Before anything is written, and between two batches: traffic may never rest.
                    KeepUp();

                    isMore = BringBatch();
                }
                while (isMore);
                TellOver();
            }
            catch (Exception trouble)
            {
                // The thread goes on, also after a bug.
                Fail(IsExpected(trouble) ? trouble.Message : trouble.ToString());
            }
            finally
            {
                _batch.Connection = null;
            }
        }
    }

    private static bool IsExpected(Exception trouble) => trouble is NpgsqlException or IOException or TimeoutException;

    /// <summary>Brings what is to be written now, and says whether there may be more.</summary>
    private bool BringBatch()
    {
        try
        {
            // What failed the last time is not all that waits since.
            var isAgain = _writing.Count > 0;
            return Take() && (Write() >= MaxBatch || isAgain);
        }
        catch (Exception bug) when (!IsExpected(bug))
        {
            // What can still be kept is kept, and what may be the reason is not tried again.
            Interlocked.Add(ref _lost, _backlog.Release(_writing));
            foreach (var (_, table) in _tables)
            {
                table.MarkSaved();
            }

            throw;
        }
    }

    /// <summary>What is to be written now: what could not be the last time, or what came since.</summary>
    private bool Take()
    {
        if (_writing.Count > 0)
        {
            return true;
        }

        _backlog.Take(MaxBatch, _writing);
        if (_writing.Count == 0)
        {
            return false;
        }

        _number++;
        try
        {
            Merge(_writing);
        }
        catch (Exception trouble) when (IsExpected(trouble))
        {
            // The sums cannot be added to now.
            _backlog.GiveBack(_writing);
            throw;
        }

        return true;
    }

    /// <summary>Adds records to the sums: all, or, when what was saved cannot be read, none.</summary>
    private void Merge(IEnumerable<ExchangeRecord[]> blocks)
    {
        // Each minute has as many kinds as a minute may: after an outage hours come at once, and must not share that bound.
        var minutes = new Dictionary<long, RollupDelta>();
        foreach (var block in blocks)
        {
            foreach (ref readonly var record in block.AsSpan())
            {
                var minute = RollupDelta.MinuteOf(in record);
                if (!minutes.TryGetValue(minute, out var delta))
                {
                    minutes.Add(minute, delta = new RollupDelta());
                }

                delta.Add(in record);
            }
        }

        var cells = (from delta in minutes.Values from cell in delta.Cells from table in _tables select (From: cell.Value, To: table.Table.CellOf(cell.Key.Minute, cell.Key.Key))).ToList();
        cells.ForEach(cell => cell.To.Add(cell.From));
    }

    /// <summary>Writes what was taken; how many records that were.</summary>
    private int Write()
    {
        PostgresLoss loss;
        try
        {
            loss = _batch.Write(_number, _writing, _tables.Select(table => (table.Name, table.Table.Changed)));
        }
        catch
        {
            _batch.Forget();
            _isMade = false;
            throw;
        }

        var written = _backlog.Release(_writing);
        var past = _time.GetUtcNow().AddMinutes(-1).UtcTicks;
        foreach (var (_, table) in _tables)
        {
            // Also what was refused: it is tried again when it changes, and not with every batch.
            table.MarkSaved();
            table.Forget(past);
        }

        if (loss.Why is not null)
        {
            Interlocked.Add(ref _lost, loss.Records);
            Interlocked.Increment(ref _failures);
            _refusal.Tell($"PostgreSQL refuses some exchanges or sums for what they are: {loss.Why}. They are lost, and the rest is kept. Counted in tidegate_store_failures_total, and exchanges in tidegate_store_dropped_total.");
        }

        return written;
    }

    /// <summary>Makes room for the next days and lets go of what is old. Each minute; what of it fails holds up nothing else.</summary>
    private void KeepUp()
    {
        var now = _time.GetTimestamp();
        if (now < _nextUpkeep)
        {
            return;
        }

        _nextUpkeep = now + (_time.TimestampFrequency * 60);

        List<string> troubles = [];
        try
        {
            KeepUp(troubles);
        }
        catch (Exception gone) when (IsExpected(gone))
        {
            // Done as soon as the outage is over.
            _nextUpkeep = now;
            throw;
        }

        if (troubles.Count > 0)
        {
            Interlocked.Add(ref _failures, troubles.Count);
            _upkeep.Tell($"{string.Join(" ", troubles)} PostgreSQL takes exchanges all the same; this is tried again each minute. Counted in tidegate_store_failures_total.");
        }
        else
        {
            _upkeep.Over("PostgreSQL makes room for exchanges, and lets go of old ones, again.");
        }
    }

    private void KeepUp(List<string> troubles)
    {
        DateTimeOffset at = default;
        Try(troubles, "The database's clock cannot be read", () => at = _databaseNow(_batch.Connection!));
        if (troubles.Count > 0)
        {
            return;
        }

        Try(troubles, "No connection for other work", () =>
        {
            // Of its own: what takes too long may break it, and must not break the one that brings exchanges.
            using var connection = _database.OpenConnection();
            KeepUp(connection, at, troubles);
        });
    }

    private void KeepUp(NpgsqlConnection connection, DateTimeOffset at, List<string> troubles)
    {
        (string Failure, Func<string?> Action)[] steps =
        [
            ("The next days' tables cannot be made", () => Done(() => PostgresDays.MakeAhead(connection, at))),
            ("Old sums cannot be let go of", () => Done(() => PostgresRetention.LetGoOfSums(connection, at))),
            ("Old exchanges cannot be let go of", () => LetGoOfDays(connection, at)),
        ];
        foreach (var (failure, action) in steps)
        {
            Try(troubles, failure, action);
            if (connection.FullState != ConnectionState.Open)
            {
                // Nothing more can be done on it: the next time there is a new one. Whether the database is gone as well, the other one knows.
                Try(troubles, "The database does not answer", () => PostgresSchema.Run(_batch.Connection!, "SELECT 1"));
                return;
            }
        }
    }

    private string? LetGoOfDays(NpgsqlConnection connection, DateTimeOffset at)
    {
        var kept = PostgresRetention.LetGoOfDays(connection, _settings, at);
        Interlocked.Exchange(ref _bytes, kept.Bytes);
        return kept.Trouble;
    }

    private static string? Done(Action action)
    {
        action();
        return null;
    }

    private void Try(List<string> troubles, string failure, Action action) => Try(troubles, failure, () => Done(action));

    /// <param name="troubles">Takes what is wrong.</param>
    /// <param name="failure">What it means that it fails.</param>
    /// <param name="action">Says what its trouble is, or throws it. What costs the connection that brings exchanges is an outage, and thrown.</param>
    private void Try(List<string> troubles, string failure, Func<string?> action)
    {
        string? trouble;
        try
        {
            trouble = action();
        }
        catch (Exception thrown) when (IsExpected(thrown) && _batch.Connection!.FullState == ConnectionState.Open)
        {
            trouble = thrown.Message;
        }

        if (trouble is not null)
        {
            troubles.Add($"{failure}: {trouble}");
        }
    }

    private void Fail(string trouble)
    {
        Interlocked.Increment(ref _failures);
        _outage.Tell($"Exchanges cannot be brought to PostgreSQL: {trouble} They wait, {_most}; traffic goes on. Counted in tidegate_store_failures_total and tidegate_store_dropped_total.");
    }

    private void TellOver()
    {
        var noRoom = _backlog.NoRoom;
        var lost = noRoom - _toldNoRoom;
        var over = lost > 0 ? $"Exchanges are brought to PostgreSQL again; {lost} found no room meanwhile and are lost." : "Exchanges are brought to PostgreSQL again.";
        var wasLosing = Interlocked.Exchange(ref _isLosing, 0) == 1;
        if (!_outage.Over(over) && wasLosing)
        {
            _log(over);
        }

        _toldNoRoom = noRoom;
    }
}
