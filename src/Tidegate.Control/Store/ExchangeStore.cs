using DuckDB.NET.Data;
using Microsoft.Data.Sqlite;
using Tidegate.Control.Store.Log;
using Tidegate.Control.Store.Rollups;
using Tidegate.Control.Store.Segments;
using Tidegate.Recording;

namespace Tidegate.Control.Store;

/// <summary>
/// Keeps every exchange. The recorder's thread adds records to a log, frame by frame, and to sums of minutes and hours in memory; a loop of its own brings both to the disk each second,
/// makes a Parquet segment of each hour's log, and lets go of what is too old or too much. After any death the log says what is true: what the sums lack is counted again, nothing twice.
/// </summary>
internal sealed class ExchangeStore : IExchangeSink, IAsyncDisposable
{
    private const string LogExtension = ".log";
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRest = TimeSpan.FromMinutes(1);

    // A save may take a twentieth of the time between two.
    private const int SaveShare = 20;

    private readonly Lock _gate = new();
    private readonly Lock _databaseGate = new();
    private readonly Lock _diskGate = new();
    private readonly StoreSettings _settings;
    private readonly Action<string> _log;
    private readonly TimeProvider _time;
    private readonly RollupDatabase _database;
    private readonly RollupTable _minutes;
    private readonly RollupTable _hours;
    private readonly List<SegmentFile> _segments = [];
    private readonly List<LogFile> _finished = [];
    private readonly CancellationTokenSource _stopping = new();

    // Set at first: what was counted again is to be saved.
    private readonly SemaphoreSlim _changed = new(1, 1);
    private Task? _loop;
    private LogWriter _writer;
    private DateTimeOffset _hour;
    private bool _isFlushed;
    private long _nextSave;
    private long _nextSegments;
    private DateTimeOffset _nextPrune;
    private long _failures;
    private string _told = "";

    private ExchangeStore(StoreSettings settings, Action<string> log, TimeProvider time)
    {
        _settings = settings;
        _log = log;
        _time = time;
        Directory.CreateDirectory(settings.Directory);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(settings.Directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        if (Directory.Exists(Path.Combine(settings.Directory, "spill")))
        {
            Directory.Delete(Path.Combine(settings.Directory, "spill"), recursive: true);
        }

        var next = FindFiles();
        _database = OpenDatabase();
        try
        {
            var now = time.GetUtcNow().UtcTicks;
            _minutes = new RollupTable(RollupDatabase.MinuteTicks, now, (begin, key) => Load("minutes", begin, key));
            _hours = new RollupTable(RollupDatabase.HourTicks, now, (begin, key) => Load("hours", begin, key));
            CountAgain();
            _hour = HourOf(time.GetUtcNow());
            _writer = NewWriter(Math.Max(next, _database.Position().Sequence + 1));
        }
        catch
        {
            _database.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public string Name => "store";

    /// <summary>For readers of the sums.</summary>
    public string RollupConnection => _database.ConnectionString;

    /// <summary>Times that something could not be brought to the disk.</summary>
    public long Failures => Interlocked.Read(ref _failures);

    /// <summary>What is kept.</summary>
    public (IReadOnlyList<SegmentFile> Segments, IReadOnlyList<LogFile> Logs) Files
    {
        get
        {
            lock (_gate)
            {
                return ([.. _segments], [.. _finished, new LogFile(_writer.Path, _writer.Sequence, _writer.Length)]);
            }
        }
    }

    /// <summary>Where everything is.</summary>
    public string Folder => _settings.Directory;

    /// <summary>Opens what is there, or begins anew. Nothing comes to the disk by itself before <see cref="Start"/>.</summary>
    /// <exception cref="IOException">The directory cannot be used; also <see cref="UnauthorizedAccessException"/>.</exception>
    public static ExchangeStore Open(StoreSettings settings, Action<string> log, TimeProvider time) => new(settings, log, time);

    /// <summary>From now on what is written comes to the disk each second.</summary>
    public void Start() => _loop ??= LoopAsync();

    /// <inheritdoc/>
    public ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            // First what may fail: what is not in the log is not counted either.
            _writer.Add(batch.Span);
            foreach (ref readonly var record in batch.Span)
            {
                _minutes.Add(in record);
                _hours.Add(in record);
            }

            if (_isFlushed)
            {
                _isFlushed = false;
                if (_changed.CurrentCount == 0)
                {
                    _changed.Release();
                }
            }
        }

        return default;
    }

    /// <summary>A segment could not be read: it is set aside, named, and the rest goes on.</summary>
    public void SetAside(SegmentFile segment)
    {
        lock (_gate)
        {
            if (!_segments.Remove(segment))
            {
                return;
            }
        }

        File.Move(segment.Path, segment.Path + SegmentFile.Corrupt, overwrite: true);
        _log($"The segment {segment.Path} cannot be read and was set aside as {Path.GetFileName(segment.Path)}{SegmentFile.Corrupt}; its exchanges cannot be searched any more, and the sums have them.");
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        if (_loop is not null)
        {
            await _loop;
        }

        BringToDisk(isLast: true);
        _writer.Dispose();
        _database.Dispose();
        _stopping.Dispose();
        _changed.Dispose();
    }

    private static DateTimeOffset HourOf(DateTimeOffset time) => new(time.UtcTicks - (time.UtcTicks % TimeSpan.TicksPerHour), TimeSpan.Zero);

    /// <summary>Finds segments and logs; of a log whose segment is complete only the segment counts.</summary>
    /// <returns>A number that no log has had.</returns>
    private long FindFiles()
    {
        foreach (var unfinished in Directory.EnumerateFiles(_settings.Directory, "*" + SegmentFile.Unfinished))
        {
            File.Delete(unfinished);
        }

        _segments.AddRange(Directory.EnumerateFiles(_settings.Directory, "*" + SegmentFile.Extension).Select(SegmentFile.Of).OfType<SegmentFile>().OrderBy(segment => segment.Sequence));
        var next = _segments.Count == 0 ? 1 : _segments[^1].Sequence + 1;
        foreach (var path in Directory.EnumerateFiles(_settings.Directory, "*" + LogExtension).Order(StringComparer.Ordinal))
        {
            if (!long.TryParse(Path.GetFileNameWithoutExtension(path), out var sequence))
            {
                continue;
            }

            next = Math.Max(next, sequence + 1);
            if (_segments.Exists(segment => segment.Sequence == sequence))
            {
                File.Delete(path);
            }
            else
            {
                _finished.Add(new LogFile(path, sequence, new FileInfo(path).Length));
            }
        }

        return next;
    }

    private RollupDatabase OpenDatabase()
    {
        try
        {
            return new RollupDatabase(_settings.Directory);
        }
        catch (SqliteException unusable)
        {
            var path = Path.Combine(_settings.Directory, RollupDatabase.FileName);
            File.Move(path, path + SegmentFile.Corrupt, overwrite: true);
            _log($"{path} cannot be used ({unusable.Message}) and was set aside as {RollupDatabase.FileName}{SegmentFile.Corrupt}. Sums begin anew with what is in the log; segments can still be searched.");
            return new RollupDatabase(_settings.Directory);
        }
    }

    /// <summary>Adds what the sums lack.</summary>
    private void CountAgain()
    {
        var (sequence, offset) = _database.Position();
        for (var i = 0; i < _finished.Count; i++)
        {
            var log = _finished[i];
            if (log.Sequence < sequence)
            {
                continue;
            }

            using var reader = new LogReader(log.Path) { Offset = log.Sequence == sequence ? offset : 0 };
            try
            {
                while (reader.Next() is { } records)
                {
                    foreach (ref readonly var record in records.AsSpan())
                    {
                        _minutes.Add(in record);
                        _hours.Add(in record);
                    }
                }
            }
            catch (InvalidDataException strange)
            {
                _log($"{log.Path} has a frame that this program cannot read ({strange.Message}); what follows it is left out.");
            }

            // Behind it is what the process that died could not write whole.
            _finished[i] = log with { Length = reader.Offset };
        }
    }

    private LogWriter NewWriter(long sequence) => new(Path.Combine(_settings.Directory, $"{sequence:d10}{LogExtension}"), sequence);

    private RollupCell Load(string table, long begin, RollupKey key)
    {
        lock (_databaseGate)
        {
            return _database.Load(table, begin, key);
        }
    }

    private async Task LoopAsync()
    {
        await Task.Yield();
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                // The first change after a rest, or the hour's end in a quiet time.
                await _changed.WaitAsync(LongestRest, _stopping.Token);
                await Task.Delay(Interval, _time, _stopping.Token);
                BringToDisk(isLast: false);
            }
            catch (OperationCanceledException)
            {
                // Stopping: the last of it is DisposeAsync's.
                return;
            }
        }
    }

    /// <summary>What the loop does each second.</summary>
    internal void BringToDisk(bool isLast)
    {
        lock (_diskGate)
        {
            TryBringToDisk(isLast);
        }
    }

    private void TryBringToDisk(bool isLast)
    {
        try
        {
            LogWriter writer;
            lock (_gate)
            {
                writer = _writer;
                _isFlushed = true;
            }

            if (isLast || _time.GetTimestamp() >= _nextSave)
            {
                Save();
            }
            else
            {
                writer.Flush();
            }

            if (!isLast)
            {
                Rotate();
                try
                {
                    MakeSegments();
                }
                finally
                {
                    LetGo();
                }
            }

            Tell("");
        }
        catch (Exception trouble) when (trouble is IOException or UnauthorizedAccessException or SqliteException or DuckDBException)
        {
            Interlocked.Increment(ref _failures);
            Tell($"The exchange store cannot bring what it has to the disk: {trouble.Message} Traffic goes on; counted in tidegate_store_failures_total.");
        }
    }

    private void Save()
    {
        IReadOnlyList<SavedCell> minutes;
        IReadOnlyList<SavedCell> hours;
        (LogWriter Writer, long Length) position;
        lock (_gate)
        {
            minutes = _minutes.TakeChanged();
            hours = _hours.TakeChanged();
            position = (_writer, _writer.Length);
        }

        var began = _time.GetTimestamp();
        try
        {
            // The sums must not go further than the log, whatever the machine's power does.
            position.Writer.Flush();
            lock (_databaseGate)
            {
                _database.Save(minutes, hours, position.Writer.Sequence, position.Length);
            }
        }
        catch
        {
            lock (_gate)
            {
                _minutes.TakeBack();
                _hours.TakeBack();
            }

            throw;
        }

        var now = _time.GetTimestamp();
        _nextSave = now + ((now - began) * SaveShare);
        lock (_gate)
        {
            // A record comes when its exchange is over: a minute's last ones are a moment late.
            var past = _time.GetUtcNow().AddMinutes(-1).UtcTicks;
            _minutes.Forget(past);
            _hours.Forget(past);
        }
    }

    private void Rotate()
    {
        var hour = HourOf(_time.GetUtcNow());
        lock (_gate)
        {
            if (_writer.Records == 0)
            {
                _hour = hour;
                return;
            }

            if (hour == _hour && _writer.Length < _settings.MaxLogBytes)
            {
                return;
            }

            var next = NewWriter(_writer.Sequence + 1);
            _finished.Add(new LogFile(_writer.Path, _writer.Sequence, _writer.Length));
            _writer.Dispose();
            _writer = next;
            _hour = hour;
        }
    }

    private void MakeSegments()
    {
        IReadOnlyList<LogFile> finished;
        lock (_gate)
        {
            finished = [.. _finished];
        }

        if (finished.Count == 0 || _time.GetTimestamp() < _nextSegments)
        {
            return;
        }

        // What fails now is not tried again each second.
        _nextSegments = _time.GetTimestamp() + (_time.TimestampFrequency * (long)LongestRest.TotalSeconds);

        // The sums must not need it any more.
        Save();
        lock (_databaseGate)
        {
            _database.Checkpoint();
        }

        using var engine = new SegmentEngine(_settings.Directory);
        foreach (var log in finished)
        {
            var path = engine.MakeSegment(log.Path, log.Sequence, _settings.Directory);
            lock (_gate)
            {
                if (path is not null)
                {
                    _segments.Add(SegmentFile.Of(path)!);
                }

                _finished.Remove(log);
            }

            File.Delete(log.Path);
        }

        _nextSegments = 0;
    }

    /// <summary>Deletes what is too old, and the oldest of what is too much.</summary>
    private void LetGo()
    {
        var now = _time.GetUtcNow();
        List<SegmentFile> gone = [];
        lock (_gate)
        {
            var bytes = _segments.Sum(segment => segment.Bytes) + _finished.Sum(log => log.Length) + _writer.Length;
            foreach (var segment in _segments.OrderBy(segment => segment.To).ToList())
            {
                if (segment.To >= now - _settings.MaxAge && bytes <= _settings.MaxBytes)
                {
                    break;
                }

                bytes -= segment.Bytes;
                _segments.Remove(segment);
                gone.Add(segment);
            }
        }

        foreach (var segment in gone)
        {
            File.Delete(segment.Path);
        }

        LetGoOfLogs();

        if (now >= _nextPrune)
        {
            _nextPrune = now.AddHours(1);
            lock (_databaseGate)
            {
                _database.Prune((now - StoreSettings.MinutesAge).UtcTicks, (now - StoreSettings.HoursAge).UtcTicks);
            }
        }
    }

    /// <summary>While no segments can be made the log alone may become too much.</summary>
    private void LetGoOfLogs()
    {
        List<LogFile> gone = [];
        lock (_gate)
        {
            var bytes = _segments.Sum(segment => segment.Bytes) + _finished.Sum(log => log.Length) + _writer.Length;
            while (bytes > _settings.MaxBytes && _finished.Count > 0)
            {
                bytes -= _finished[0].Length;
                gone.Add(_finished[0]);
                _finished.RemoveAt(0);
            }
        }

        gone.ForEach(log => File.Delete(log.Path));
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
