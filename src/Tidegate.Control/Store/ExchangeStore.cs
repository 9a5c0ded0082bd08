using DuckDB.NET.Data;
using Microsoft.Data.Sqlite;
using Tidegate.Control.Store.Files;
using Tidegate.Control.Store.Log;
using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Rollups;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;

namespace Tidegate.Control.Store;

/// <summary>
/// Keeps every exchange. The recorder's thread adds records to a log, frame by frame, and to sums since the last second in memory; a thread of its own brings both to the disk each second,
/// makes a Parquet segment of each hour's log, and lets go of what is too old or too much. After any death the log says what is true: what the sums lack is counted again, nothing twice.
/// </summary>
internal sealed class ExchangeStore : IExchangeStore
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRest = TimeSpan.FromMinutes(1);

    // A save may take a twentieth of the time between two, and whoever looks does not wait longer than that for one.
    private const int SaveShare = 20;
    private static readonly TimeSpan LongestBetweenSaves = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly Lock _diskGate = new();
    private readonly StoreSettings _settings;
    private readonly Action<string> _log;
    private readonly TimeProvider _time;
    private readonly StoreFiles _files;
    private readonly SegmentMaker _segments;
    private readonly RollupSums _sums;
    private readonly StoreLoop _loop;
    private LogWriter _writer;

    // One is added to while the other is merged; and how far into the log that one goes.
    private RollupDelta _delta = new();
    private RollupDelta _taken = new();
    private (long Sequence, long Offset) _takenUpTo;
    private DateTimeOffset _hour;
    private long _nextSave;
    private long _nextSegments;
    private bool _areSumsDoubted;
    private long _failures;
    private string _told = "";

    // For segments, while it is asked for or taken.
    private EngineRoom? _room;

    private ExchangeStore(StoreSettings settings, Action<string> log, TimeProvider time)
    {
        _settings = settings;
        _log = log;
        _time = time;
        _loop = new StoreLoop("Tidegate store", BringToDisk, Interval, LongestRest);
        _files = new StoreFiles(settings, log);
        _segments = new SegmentMaker(_files, settings);
        try
        {
            _sums = new RollupSums(settings, log, time);
            _sums.CountAgain(_files.Current.Logs);
            _hour = HourOf(time.GetUtcNow());
            _writer = _files.NewLog(_sums.Sequence);
        }
        catch (Exception trouble)
        {
            _sums?.Dispose();
            _files.Dispose();
            if (trouble is SqliteException)
            {
                throw new IOException($"{Path.Combine(settings.Directory, RollupDatabase.FileName)} cannot be used: {trouble.Message}.", trouble);
            }

            throw;
        }
    }

    /// <inheritdoc/>
    public string Name => "store";

    /// <summary>For readers of the sums.</summary>
    public string RollupConnection => _sums.ConnectionString;

    /// <inheritdoc/>
    public long Failures => Interlocked.Read(ref _failures);

    /// <inheritdoc/>
    public long SetAsideFiles => _files.SetAsideFiles + _sums.SetAsideFiles;

    /// <inheritdoc/>
    public EngineMemory Memory => _settings.Memory;

    /// <inheritdoc/>
    public string Place => Folder;

    /// <summary>None: what the disk does not take is the sink's failure.</summary>
    public long Dropped => 0;

    /// <inheritdoc/>
    public long Bytes => Files is var (segments, logs) ? segments.Sum(segment => segment.Bytes) + logs.Sum(log => log.Length) : 0;

    /// <summary>What is kept.</summary>
    public (IReadOnlyList<SegmentFile> Segments, IReadOnlyList<LogFile> Logs) Files
    {
        get
        {
            lock (_gate)
            {
                var (segments, logs) = _files.Current;
                return (segments, [.. logs, new LogFile(_writer.Path, _writer.Sequence, _writer.Length)]);
            }
        }
    }

    /// <summary>Where everything is.</summary>
    public string Folder => _settings.Directory;

    /// <summary>Opens what is there, or begins anew. Nothing comes to the disk by itself before <see cref="Start"/>.</summary>
    /// <exception cref="IOException">The directory cannot be used; also <see cref="UnauthorizedAccessException"/>.</exception>
    public static ExchangeStore Open(StoreSettings settings, Action<string> log, TimeProvider time) => new(settings, log, time);

    /// <inheritdoc/>
    public void Start() => _loop.Start();

    /// <inheritdoc/>
    public IStoreSource OpenSource() => new FileSource(this);

    /// <inheritdoc/>
    public ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            // First what may fail: what is not in the log is not counted either.
            _writer.Add(batch.Span);
            foreach (ref readonly var record in batch.Span)
            {
                _delta.Add(in record);
            }
        }

        _loop.Wake();
        return default;
    }

    /// <summary>A segment could not be read.</summary>
    public void SetAside(SegmentFile segment) => _files.SetAside(segment);

    /// <summary>Somebody could not read the sums: they are looked at, and begun anew when they are broken.</summary>
    public void DoubtSums()
    {
        Volatile.Write(ref _areSumsDoubted, true);
        _loop.Wake();
    }

    public async ValueTask DisposeAsync()
    {
        await _loop.DisposeAsync();
        BringToDisk(isLast: true);
        _room?.Dispose();
        _writer.Dispose();
        _sums.Dispose();
        _files.Dispose();
    }

    /// <summary>What the loop does each second.</summary>
    internal void BringToDisk(bool isLast)
    {
        lock (_diskGate)
        {
            try
            {
                TryBringToDisk(isLast);
                Tell("");
            }
            catch (SqliteException broken) when (RollupDatabase.IsBroken(broken))
            {
                Fail($"The sums of the exchange store cannot be used: {broken.Message}");
                BeginSumsAnew(broken);
            }
            catch (Exception trouble) when (trouble is IOException or UnauthorizedAccessException or SqliteException or DuckDBException)
            {
                Fail($"The exchange store cannot bring what it has to the disk: {trouble.Message} Traffic goes on; counted in tidegate_store_failures_total.");
            }
            catch (Exception bug)
            {
                // The thread goes on: what can still be kept is kept.
                Fail($"The exchange store failed: {bug}");
            }
        }
    }

    private bool BringToDisk()
    {
        BringToDisk(isLast: false);
        lock (_gate)
        {
            // What came since the last save, when that is not long ago; and logs for which there is no room yet.
            return !_delta.IsEmpty || !_taken.IsEmpty || _room is not null;
        }
    }

    private static DateTimeOffset HourOf(DateTimeOffset time) => new(time.UtcTicks - (time.UtcTicks % TimeSpan.TicksPerHour), TimeSpan.Zero);

    private void TryBringToDisk(bool isLast)
    {
        var isInLine = false;
        try
        {
            if (Interlocked.Exchange(ref _areSumsDoubted, false))
            {
                _sums.Check();
            }

            if (isLast || _time.GetTimestamp() >= _nextSave)
            {
                Save(isDurable: false);
            }
            else
            {
                _writer.Flush();
            }

            if (!isLast)
            {
                Rotate();
                MakeSegments();
                isInLine = true;
                _sums.Prune();
            }
        }
        finally
        {
            if (!isInLine)
            {
                // What fails before segments are made may fail for hours, and others wait for the room.
                GiveRoomBack();
            }

            // Also when the disk is full: then most of all.
            _files.LetGo(_time.GetUtcNow(), _writer.Length);
        }
    }

    private void Save(bool isDurable)
    {
        var began = _time.GetTimestamp();

        // What could not be merged the last time goes first.
        MergeTaken();
        lock (_gate)
        {
            (_delta, _taken) = (_taken, _delta);
            _takenUpTo = (_writer.Sequence, _writer.Length);
        }

        // The sums must not go further than the log, whatever the machine's power does.
        _writer.Flush();
        MergeTaken();
        if (isDurable || _sums.HasChanged)
        {
            _sums.Save(isDurable);
        }

        var now = _time.GetTimestamp();
        _nextSave = now + Math.Min((now - began) * SaveShare, (long)(LongestBetweenSaves.TotalSeconds * _time.TimestampFrequency));
    }

    private void MergeTaken()
    {
        if (!_taken.IsEmpty)
        {
            _sums.Merge(_taken, _takenUpTo);
            _taken.Clear();
        }
    }

    private void Rotate()
    {
        var hour = HourOf(_time.GetUtcNow());
        if (_writer.Records == 0 || (hour == _hour && _writer.Length < _settings.MaxLogBytes))
        {
            _hour = _writer.Records == 0 ? hour : _hour;
            return;
        }

        var old = _writer;
        var next = _files.NewLog();
        lock (_gate)
        {
            _files.Finish(old);
            _writer = next;
        }

        _hour = hour;
        using (old)
        {
            old.Flush();
        }
    }

    private void MakeSegments()
    {
        if (_time.GetTimestamp() < _nextSegments)
        {
            GiveRoomBack();
            return;
        }

        var areSumsSaved = false;
        while (_segments.HasNext)
        {
            // Searches and exports end soon; until then logs are searched as they are. This thread has better to do than to wait. Whoever waits has their turn before the next log.
            _room ??= Memory.Ask(EngineMemory.Maker);
            if (!_room.IsTaken)
            {
                return;
            }

            try
            {
                // What fails now is not tried again each second.
                _nextSegments = AfterRest();
                if (!areSumsSaved)
                {
                    // They must not need the logs any more.
                    Save(isDurable: true);
                    areSumsSaved = true;
                }

                _segments.MakeNext();
                _nextSegments = 0;
            }
            finally
            {
                GiveRoomBack();
            }
        }

        // Logs may also have been let go of.
        GiveRoomBack();
        _nextSegments = AfterRest();
        _segments.EndRound();
        _nextSegments = 0;
    }

    private long AfterRest() => _time.GetTimestamp() + (_time.TimestampFrequency * (long)LongestRest.TotalSeconds);

    private void GiveRoomBack()
    {
        _room?.Dispose();
        _room = null;
    }

    private void BeginSumsAnew(SqliteException broken)
    {
        try
        {
            _sums.BeginAnew(broken);
        }
        catch (Exception trouble) when (trouble is IOException or UnauthorizedAccessException or SqliteException)
        {
            Fail($"The sums of the exchange store cannot be begun anew: {trouble.Message}");
        }
    }

    private void Fail(string trouble)
    {
        Interlocked.Increment(ref _failures);
        Tell(trouble);
    }

    private void Tell(string trouble)
    {
        if (trouble != _told)
        {
            _log(trouble.Length > 0 ? trouble : "The exchange store can write again.");
            _told = trouble;
        }
    }
}
