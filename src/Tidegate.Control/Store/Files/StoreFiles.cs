using Tidegate.Control.Store.Log;
using Tidegate.Control.Store.Segments;

namespace Tidegate.Control.Store.Files;

/// <summary>
/// The files of a store's directory: finds them after whatever death, says which there are, sets aside what is broken and lets go of what is too old or too much. One process has the directory.
/// </summary>
internal sealed class StoreFiles : IDisposable
{
    private const string LogExtension = ".log";
    private const string LockName = "lock";
    private const string SpillName = "spill";

    private readonly Lock _gate = new();
    private readonly StoreSettings _settings;
    private readonly Action<string> _log;
    private readonly FileStream _lock;
    private readonly List<SegmentFile> _segments = [];
    private readonly List<LogFile> _logs = [];
    private long _lastSequence;
    private long _setAside;

    /// <exception cref="IOException">The directory cannot be used, or another process uses it; also <see cref="UnauthorizedAccessException"/>.</exception>
    public StoreFiles(StoreSettings settings, Action<string> log)
    {
        _settings = settings;
        _log = log;
        PrivateFolder.Make(settings.Directory);

        // Two would take one another's log for what a dead one has left. The kernel gives it back when the process ends, however that is.
        _lock = new FileStream(Path.Combine(settings.Directory, LockName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        try
        {
            Find();
        }
        catch
        {
            _lock.Dispose();
            throw;
        }
    }

    /// <summary>Where they are.</summary>
    public string Folder => _settings.Directory;

    /// <summary>Segments and logs that were set aside since the start.</summary>
    public long SetAsideFiles => Interlocked.Read(ref _setAside);

    /// <summary>Segments in the order in which they were made, and logs to which nothing is added any more.</summary>
    public (IReadOnlyList<SegmentFile> Segments, IReadOnlyList<LogFile> Logs) Current
    {
        get
        {
            lock (_gate)
            {
                return ([.. _segments], [.. _logs]);
            }
        }
    }

    /// <summary>Begins a file of the log, with a number that none has had.</summary>
    /// <param name="after">A number that another file is known to have had.</param>
    public LogWriter NewLog(long after = 0)
    {
        // Also when it fails: a file of that name may be there now.
        _lastSequence = Math.Max(_lastSequence, after) + 1;
        return new LogWriter(Path.Combine(Folder, $"{_lastSequence:d10}{LogExtension}"), _lastSequence, _settings.FlushToDisk, _settings.WriteToDisk);
    }

    /// <summary>Nothing is added to a log any more.</summary>
    public void Finish(LogWriter writer)
    {
        lock (_gate)
        {
            _logs.Add(new LogFile(writer.Path, writer.Sequence, writer.Length));
        }
    }

    /// <summary>A log has become a segment, or there was nothing in it.</summary>
    public void Replace(LogFile log, string? segment)
    {
        lock (_gate)
        {
            if (segment is not null)
            {
                _segments.Add(SegmentFile.Of(segment)!);
                _segments.Sort((one, other) => one.First.CompareTo(other.First));
            }

            _logs.Remove(log);
        }
    }

    /// <summary>Segments have become one.</summary>
    public void Replace(IReadOnlyList<SegmentFile> parts, string whole)
    {
        lock (_gate)
        {
            // Between the look at them and now, some may have been let go of or set aside: the new one has what they had.
            _segments.RemoveAll(parts.Contains);
            _segments.Add(SegmentFile.Of(whole)!);
            _segments.Sort((one, other) => one.First.CompareTo(other.First));
        }

        foreach (var part in parts)
        {
            File.Delete(part.Path);
        }
    }

    /// <summary>A segment could not be read: it is set aside, named, and the rest goes on.</summary>
    public void SetAside(SegmentFile segment)
    {
        lock (_gate)
        {
            if (!_segments.Remove(segment) || !File.Exists(segment.Path))
            {
                return;
            }

            File.Move(segment.Path, segment.Path + SegmentFile.Corrupt, overwrite: true);
        }

        Interlocked.Increment(ref _setAside);

        _log($"The segment {segment.Path} cannot be read and was set aside as {Path.GetFileName(segment.Path)}{SegmentFile.Corrupt}; its exchanges cannot be searched any more, and the sums have them.");
    }

    /// <summary>A log holds what this program cannot read: the rest is in a segment, and the log is set aside.</summary>
    public void SetAside(LogFile log, string problem)
    {
        File.Move(log.Path, log.Path + SegmentFile.Corrupt, overwrite: true);
        Interlocked.Increment(ref _setAside);
        _log($"{log.Path} was set aside as {Path.GetFileName(log.Path)}{SegmentFile.Corrupt}: {problem}.");
    }

    /// <summary>Deletes what is too old, and the oldest of what is too much.</summary>
    /// <param name="now">The time.</param>
    /// <param name="writing">Bytes of the log that is being written.</param>
    public void LetGo(DateTimeOffset now, long writing)
    {
        List<string> gone = [];
        lock (_gate)
        {
            // In the order in which they were made: a clock that was wrong for a while must not make what is new the oldest.
            var aside = Directory.EnumerateFiles(Folder, "*" + SegmentFile.Corrupt).Select(path => new FileInfo(path)).OrderBy(file => file.Name, StringComparer.Ordinal).ToList();
            var bytes = writing + _segments.Sum(segment => segment.Bytes) + _logs.Sum(log => log.Length) + aside.Sum(file => file.Length);
            foreach (var file in aside.Where(file => bytes > _settings.MaxBytes || file.LastWriteTimeUtc < (now - _settings.MaxAge).UtcDateTime))
            {
                bytes -= file.Length;
                gone.Add(file.FullName);
            }

            foreach (var segment in _segments.ToList())
            {
                if (bytes > _settings.MaxBytes || segment.To < now - _settings.MaxAge)
                {
                    bytes -= segment.Bytes;
                    _segments.Remove(segment);
                    gone.Add(segment.Path);
                }
            }

            // While no segments can be made the log alone may become too much.
            while (bytes > _settings.MaxBytes && _logs.Count > 0)
            {
                bytes -= _logs[0].Length;
                gone.Add(_logs[0].Path);
                _logs.RemoveAt(0);
            }
        }

        gone.ForEach(File.Delete);
    }

    public void Dispose() => _lock.Dispose();

    /// <summary>Of a log whose segment is complete only the segment counts, and of segments that became one only that.</summary>
    private void Find()
    {
        foreach (var unfinished in Directory.EnumerateFiles(Folder, "*" + SegmentFile.Unfinished))
        {
            File.Delete(unfinished);
        }

        if (Directory.Exists(Path.Combine(Folder, SpillName)))
        {
            Directory.Delete(Path.Combine(Folder, SpillName), recursive: true);
        }

        var found = Directory.EnumerateFiles(Folder, "*" + SegmentFile.Extension).Select(SegmentFile.Of).OfType<SegmentFile>().ToList();
        foreach (var segment in found.OrderBy(segment => segment.First))
        {
            if (found.Exists(other => other != segment && other.Has(segment.First, segment.Last) && !segment.Has(other.First, other.Last)))
            {
                File.Delete(segment.Path);
                continue;
            }

            _segments.Add(segment);
            _lastSequence = Math.Max(_lastSequence, segment.Last);
        }

        foreach (var path in Directory.EnumerateFiles(Folder, "*" + LogExtension).Order(StringComparer.Ordinal))
        {
            if (!long.TryParse(Path.GetFileNameWithoutExtension(path), out var sequence))
            {
                continue;
            }

            _lastSequence = Math.Max(_lastSequence, sequence);
            var log = new LogFile(path, sequence, new FileInfo(path).Length);
            if (!_segments.Exists(segment => segment.Has(sequence, sequence)))
            {
                _logs.Add(log);
            }
            else if (ProblemOf(path) is { } problem)
            {
                SetAside(log, problem);
            }
            else
            {
                File.Delete(path);
            }
        }
    }

    /// <summary>What is wrong with a log of which the process died before it could say so; null when nothing is.</summary>
    private static string? ProblemOf(string log)
    {
        try
        {
            using var reader = new LogReader(log);
            while (reader.Next() is not null)
            {
                // All of it is in the segment; only what is broken matters.
                continue;
            }

            return reader.Damage;
        }
        catch (InvalidDataException strange)
        {
            return LogProblem.Of(strange);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            // A bad sector stays bad, and what could be read of it is in the segment: the store opens all the same.
            return $"it cannot be read ({unreadable.Message}), and what could be read of it is in its segment";
        }
    }
}
