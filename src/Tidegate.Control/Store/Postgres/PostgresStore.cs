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
    // A hundred megabytes, and five seconds of heavy traffic.
    public const int DefaultMaxWaiting = 100_000;

    // What one transaction holds, so that it stays short.
    private const int MaxBatch = 20_000;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRest = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Lock _databaseGate = new();
    private readonly StoreSettings _settings;
    private readonly Action<string> _log;
    private readonly TimeProvider _time;
    private readonly int _maxWaiting;
    private readonly NpgsqlDataSource _database;
    private readonly PostgresBatch _batch = new(BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long))));
    private readonly IReadOnlyList<(string Name, RollupTable Table)> _tables;
    private readonly StoreLoop _loop;
    private readonly Queue<ExchangeRecord[]> _waiting = new();
    private int _waitingRecords;

    // Merged into the sums, and not known to be in the database.
    private readonly List<ExchangeRecord[]> _writing = [];
    private long _number;
    private bool _isMade;
    private long _nextRetention;
    private long _bytes;
    private long _failures;
    private long _dropped;
    private long _toldDropped;
    private string _told = "";

    public PostgresStore(string connection, StoreSettings settings, Action<string> log, TimeProvider time, int maxWaiting = DefaultMaxWaiting)
    {
        _settings = settings;
        _log = log;
        _time = time;
        _maxWaiting = maxWaiting;
        var address = new NpgsqlConnectionStringBuilder(connection);
        Place = $"PostgreSQL at {address.Host}/{address.Database}";
        _database = NpgsqlDataSource.Create(connection);
        _loop = new StoreLoop(
            "Tidegate store",
            () =>
            {
                BringToDatabase();
                lock (_gate)
                {
                    // What came meanwhile, when the last batch was not full; or all of it, after a failure.
                    return _waitingRecords > 0;
                }
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
    public long Dropped => Interlocked.Read(ref _dropped);

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
        lock (_gate)
        {
            if (_waitingRecords + batch.Length > _maxWaiting)
            {
                _dropped += batch.Length;
                return default;
            }

            _waitingRecords += batch.Length;
            _waiting.Enqueue(batch.ToArray());
        }

        _loop.Wake();
        return default;
    }

    public async ValueTask DisposeAsync()
    {
        await _loop.DisposeAsync();
        BringToDatabase();
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
                    // What failed the last time is not all that waits since.
                    var isAgain = _writing.Count > 0;
                    isMore = Take() && (Write() >= MaxBatch || isAgain);
                    LetGo(connection);
                }
                while (isMore);
                Tell("");
            }
            catch (Exception trouble) when (trouble is NpgsqlException or IOException or TimeoutException)
            {
                Fail(trouble);
            }
            catch (Exception bug)
            {
                // The thread goes on: what can still be kept is kept.
                Fail(bug);
                Lose();
            }
            finally
            {
                _batch.Connection = null;
            }
        }
    }

    /// <summary>What is to be written now: what could not be the last time, or what came since.</summary>
    private bool Take()
    {
        if (_writing.Count > 0)
        {
            return true;
        }

        var records = 0;
        var delta = new RollupDelta();
        lock (_gate)
        {
            while (records < MaxBatch && _waiting.TryPeek(out var block))
            {
                _writing.Add(block);
                records += block.Length;
                _waiting.Dequeue();
            }
        }

        if (records == 0)
        {
            return false;
        }

        _number++;
        foreach (var block in _writing)
        {
            foreach (ref readonly var record in block.AsSpan())
            {
                delta.Add(in record);
            }
        }

        try
        {
            Merge(delta);
        }
        catch
        {
            // The sums cannot be added to: as if they had not been taken.
            lock (_gate)
            {
                var later = _waiting.ToArray();
                _waiting.Clear();
                foreach (var block in _writing.Concat(later))
                {
                    _waiting.Enqueue(block);
                }
            }

            _writing.Clear();
            throw;
        }

        return true;
    }

    private void Merge(RollupDelta delta)
    {
        var cells = (from cell in delta.Cells from table in _tables select (From: cell.Value, To: table.Table.CellOf(cell.Key.Minute, cell.Key.Key))).ToList();
        cells.ForEach(cell => cell.To.Add(cell.From));
    }

    /// <summary>Writes what was taken; how many records that were.</summary>
    private int Write()
    {
        try
        {
            _batch.Write(_number, _writing, _tables.Select(table => (table.Name, table.Table.Changed)));
        }
        catch (PostgresException refused) when (refused.SqlState.StartsWith("22", StringComparison.Ordinal))
        {
            // Data that PostgreSQL does not take is not taken the next time either; the sums have it.
            Lose();
            _batch.Forget();
            throw;
        }
        catch
        {
            _batch.Forget();
            _isMade = false;
            throw;
        }

        var written = _writing.Sum(block => block.Length);
        lock (_gate)
        {
            _waitingRecords -= written;
        }

        _writing.Clear();
        var past = _time.GetUtcNow().AddMinutes(-1).UtcTicks;
        foreach (var (_, table) in _tables)
        {
            table.MarkSaved();
            table.Forget(past);
        }

        return written;
    }

    private void Lose()
    {
        lock (_gate)
        {
            _dropped += _writing.Sum(block => block.Length);
            _waitingRecords -= _writing.Sum(block => block.Length);
        }

        _writing.Clear();
    }

    private void LetGo(NpgsqlConnection connection)
    {
        var now = _time.GetTimestamp();
        if (now < _nextRetention)
        {
            return;
        }

        _nextRetention = now + (_time.TimestampFrequency * 60);
        Interlocked.Exchange(ref _bytes, PostgresRetention.LetGo(connection, _settings, _time.GetUtcNow()));
    }

    private void Fail(Exception trouble)
    {
        Interlocked.Increment(ref _failures);
        Tell($"Exchanges cannot be brought to PostgreSQL: {(trouble is NpgsqlException or IOException or TimeoutException ? trouble.Message : trouble.ToString())} They wait, {_maxWaiting} at most; traffic goes on. Counted in tidegate_store_failures_total and tidegate_store_dropped_total.");
    }

    private void Tell(string trouble)
    {
        if (trouble != _told)
        {
            var lost = Dropped - _toldDropped;
            _toldDropped = Dropped;
            _log(trouble.Length > 0 ? trouble : lost > 0 ? $"Exchanges are brought to PostgreSQL again; {lost} found no room meanwhile and are lost." : "Exchanges are brought to PostgreSQL again.");
            _told = trouble;
        }
    }
}
