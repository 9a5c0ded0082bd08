using Microsoft.Data.Sqlite;
using Tidegate.Control.Store.Log;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Rollups;

/// <summary>
/// The sums of minutes, hours and what is between: what is still changing in memory, and all of it in the database, together with how far into the log it goes. Belongs to the store's thread.
/// </summary>
internal sealed class RollupSums : IDisposable
{
    // Of what exchanges may take on the disk, on top of it: a hundred kinds of exchanges need a fifth of that by default.
    private const int ShareOfSize = 4;
    private const long LeastMaxBytes = 4 * 1024 * 1024;

    // A delta holds as many kinds as a minute does: an hour must not come in one.
    private const int FramesAtOnce = 16;

    private readonly StoreSettings _settings;
    private readonly Action<string> _log;
    private readonly TimeProvider _time;
    private readonly IReadOnlyList<(string Name, RollupTable Table)> _tables;
    private readonly List<(RollupCell From, RollupCell To)> _merging = [];
    private RollupDatabase _database;
    private (long Sequence, long Offset) _position;
    private long _nextPrune;
    private long _nextSweep;
    private long _setAside;

    /// <exception cref="SqliteException">The database cannot be used now, for a full disk for example.</exception>
    public RollupSums(StoreSettings settings, Action<string> log, TimeProvider time)
    {
        _settings = settings;
        _log = log;
        _time = time;
        (_database, _position, var ends) = Open();

        // The clock may have been set back since: what was saved of times to come is added to as well.
        var now = time.GetUtcNow().UtcTicks;
        _tables = [.. RollupWidth.All.Zip(ends, (width, end) => (width.Cells, new RollupTable(width.Ticks, Math.Max(now, end), (begin, key) => _database.Load(width.Cells, begin, key))))];
    }

    /// <summary>For readers.</summary>
    public string ConnectionString => _database.ConnectionString;

    /// <summary>How far into the log everything is counted.</summary>
    public long Sequence => _position.Sequence;

    /// <summary>Times that they were broken and set aside.</summary>
    public long SetAsideFiles => Interlocked.Read(ref _setAside);

    public bool HasChanged => _tables[0].Table.HasChanged;

    /// <summary>Adds what the sums lack of the log.</summary>
    public void CountAgain(IReadOnlyList<LogFile> logs)
    {
        try
        {
            CountFrom(logs, _position);
        }
        catch (SqliteException broken) when (RollupDatabase.IsBroken(broken))
        {
            Each(table => table.Clear());
            BeginAnew(broken);
            _position = default;
            CountFrom(logs, _position);
        }
    }

    /// <summary>Adds all of a delta, or, when what was saved of it cannot be read, nothing.</summary>
    /// <param name="delta">What came.</param>
    /// <param name="position">How far into the log that goes.</param>
    /// <exception cref="SqliteException">The database cannot be read.</exception>
    public void Merge(RollupDelta delta, (long Sequence, long Offset) position)
    {
        _merging.Clear();
        foreach (var (kind, cell) in delta.Cells)
        {
            foreach (var (_, table) in _tables)
            {
                _merging.Add((cell, table.CellOf(kind.Minute, kind.Key)));
            }
        }

        foreach (var (from, to) in _merging)
        {
            to.Add(from);
        }

        _merging.Clear();
        _position = position;
    }

    /// <summary>Brings what changed to the database.</summary>
    /// <param name="isDurable">Whether the log is not needed any more when this returns, whatever the machine's power does.</param>
    /// <exception cref="SqliteException">Nothing was saved.</exception>
    public void Save(bool isDurable)
    {
        _database.Save(_tables.Select(table => (table.Name, table.Table.Changed)), _position.Sequence, _position.Offset, isDurable);
        Each(table => table.MarkSaved());

        // A record comes when its exchange is over: a minute's last ones are a moment late.
        var past = _time.GetUtcNow().AddMinutes(-1).UtcTicks;
        Each(table => table.Forget(past));
    }

    /// <summary>Looks at all of the database, as somebody does who opens it now.</summary>
    /// <exception cref="SqliteException">It is broken.</exception>
    public void Check()
    {
        using var database = new SqliteConnection(ConnectionString + ";Mode=ReadOnly");
        database.Open();
        using var command = database.CreateCommand();
        command.CommandText = "PRAGMA quick_check(1)";
        if (command.ExecuteScalar() is not "ok" and var problem)
        {
            throw new SqliteException($"{problem}", SQLitePCL.raw.SQLITE_CORRUPT);
        }
    }

    /// <summary>Sets a broken database aside and goes on with what is in memory.</summary>
    public void BeginAnew(SqliteException broken)
    {
        _database.Dispose();
        RollupDatabase.SetAside(_settings.Directory);
        Tell(broken);
        _database = new RollupDatabase(_settings.Directory);
        Each(table => table.MarkUnsaved());
    }

    /// <summary>Forgets what is too old, and the oldest minutes of what is too much. Each minute; by the machine's own clock, because the other may be set.</summary>
    public void Prune()
    {
        var now = _time.GetTimestamp();
        if (now < _nextPrune)
        {
            return;
        }

        _nextPrune = now + (_time.TimestampFrequency * 60);
        _database.Prune(_time.GetUtcNow(), Math.Max(_settings.MaxBytes / ShareOfSize, LeastMaxBytes));
        if (now >= _nextSweep)
        {
            _nextSweep = now + (_time.TimestampFrequency * 86_400);
            _database.ForgetKeys();
        }
    }

    public void Dispose() => _database.Dispose();

    private void Each(Action<RollupTable> action)
    {
        foreach (var (_, table) in _tables)
        {
            action(table);
        }
    }

    private (RollupDatabase Database, (long Sequence, long Offset) Position, IReadOnlyList<long> Ends) Open()
    {
        RollupDatabase? database = null;
        try
        {
            database = new RollupDatabase(_settings.Directory);
            return (database, database.Position(), [.. RollupWidth.All.Select(database.End)]);
        }
        catch (SqliteException broken) when (RollupDatabase.IsBroken(broken))
        {
            database?.Dispose();
            RollupDatabase.SetAside(_settings.Directory);
            Tell(broken);
            return (new RollupDatabase(_settings.Directory), default, [.. RollupWidth.All.Select(_ => 0L)]);
        }
    }

    private void Tell(SqliteException broken)
    {
        Interlocked.Increment(ref _setAside);
        _log($"{Path.Combine(_settings.Directory, RollupDatabase.FileName)} is broken ({broken.Message}) and was set aside as {RollupDatabase.FileName}{SegmentFile.Corrupt}. Sums begin anew with what is in the log; segments can still be searched.");
    }

    private void CountFrom(IReadOnlyList<LogFile> logs, (long Sequence, long Offset) position)
    {
        foreach (var log in logs.Where(log => log.Sequence >= position.Sequence))
        {
            using var reader = new LogReader(log.Path) { Offset = log.Sequence == position.Sequence ? position.Offset : 0 };
            var delta = new RollupDelta();
            for (var frames = 1; Next(reader) is { } records; frames++)
            {
                foreach (ref readonly var record in records.AsSpan())
                {
                    delta.Add(in record);
                }

                if (frames % FramesAtOnce == 0)
                {
                    Merge(delta, (log.Sequence, reader.Offset));
                    delta.Clear();
                }
            }

            Merge(delta, (log.Sequence, reader.Offset));
        }
    }

    private static ExchangeRecord[]? Next(LogReader reader)
    {
        try
        {
            return reader.Next();
        }
        catch (InvalidDataException)
        {
            // The log is set aside, and said to be broken, when it is made a segment.
            return null;
        }
    }
}
