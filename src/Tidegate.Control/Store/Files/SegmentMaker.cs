using DuckDB.NET.Data;
using Tidegate.Control.Store.Segments;

namespace Tidegate.Control.Store.Files;

/// <summary>Makes segments of logs, and one of many small segments. Belongs to the store's thread.</summary>
internal sealed class SegmentMaker(StoreFiles files, StoreSettings settings)
{
    // Opening a file costs a search as much as a few thousand records in it.
    private const int MergedAtOnce = 8;
    private const long SmallBytes = 4 * 1024 * 1024;

    // A segment is let go of as a whole, when its last exchange is too old.
    private static readonly TimeSpan LongestMerged = TimeSpan.FromDays(1);

    // Of this round: logs of which no segment could be made, and why.
    private readonly HashSet<long> _failed = [];
    private DuckDBException? _trouble;
    private bool _isMergeDue;

    /// <summary>There is a log to which nothing is added any more, or after one there are small segments.</summary>
    public bool HasNext => NextLog() is not null || (_isMergeDue && Small() is not null);

    /// <summary>Makes a segment of one log, or one of some small segments. The sums must not need the logs.</summary>
    public void MakeNext()
    {
        try
        {
            if (NextLog() is { } log)
            {
                MakeOrRemember(log);
                _isMergeDue = true;
            }
            else if (Small() is { } parts)
            {
                Merge(parts);
            }
        }
        catch
        {
            // All are tried again.
            BeginRound();
            throw;
        }
        finally
        {
            NativeMemory.GiveBack();
        }
    }

    /// <summary>There is nothing more to make; what could not be made is next again.</summary>
    /// <exception cref="DuckDBException">Some could not be made; the others are.</exception>
    public void EndRound()
    {
        var trouble = _trouble;
        BeginRound();
        if (trouble is not null)
        {
            throw trouble;
        }
    }

    private void BeginRound()
    {
        _failed.Clear();
        _trouble = null;
        _isMergeDue = false;
    }

    private LogFile? NextLog() => files.Current.Logs.Where(log => !_failed.Contains(log.Sequence)).Select(log => (LogFile?)log).FirstOrDefault();

    private void MakeOrRemember(LogFile log)
    {
        try
        {
            Make(log);
        }
        catch (DuckDBException failed)
        {
            // The log stays, and is searched as it is.
            _failed.Add(log.Sequence);
            _trouble = failed;
        }
    }

    private void Make(LogFile log)
    {
        using var engine = new SegmentEngine(files.Folder, settings.FlushToDisk);
        var (path, problem) = engine.MakeSegment(log.Path, log.Sequence, files.Folder);
        files.Replace(log, path);
        if (problem is null)
        {
            File.Delete(log.Path);
        }
        else
        {
            files.SetAside(log, problem);
        }
    }

    private void Merge(List<SegmentFile> parts)
    {
        try
        {
            using var engine = new SegmentEngine(files.Folder, settings.FlushToDisk);
            files.Replace(parts, engine.Merge(parts, files.Folder));
        }
        catch (DuckDBException) when (SegmentCheck.Broken(files.Folder, parts, CancellationToken.None) is { Count: > 0 } broken)
        {
            broken.ForEach(files.SetAside);
        }
    }

    /// <summary>Segments that follow one another, between which no log is still to become one.</summary>
    private List<SegmentFile>? Small()
    {
        var (segments, logs) = files.Current;
        var longest = settings.MaxAge / 8 < LongestMerged ? settings.MaxAge / 8 : LongestMerged;
        var run = new List<SegmentFile>();
        foreach (var segment in segments)
        {
            if (segment.Bytes > SmallBytes || (run.Count > 0 && (segment.To - run[0].From > longest || logs.Any(log => log.Sequence > run[0].First && log.Sequence < segment.Last))))
            {
                run.Clear();
            }

            if (segment.Bytes <= SmallBytes)
            {
                run.Add(segment);
            }

            if (run.Count == MergedAtOnce)
            {
                return run;
            }
        }

        return null;
    }
}
