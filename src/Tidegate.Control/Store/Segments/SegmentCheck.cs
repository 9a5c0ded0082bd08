namespace Tidegate.Control.Store.Segments;

/// <summary>Which segments are to blame when a query failed. What is set aside is lost to searches: only a file that the machine can read and the engine cannot is broken.</summary>
internal static class SegmentCheck
{
    /// <exception cref="OperationCanceledException">That is not known.</exception>
    public static List<SegmentFile> Broken(string folder, IReadOnlyList<SegmentFile> segments, CancellationToken cancellationToken)
    {
        var broken = new List<SegmentFile>();
        foreach (var segment in segments)
        {
            cancellationToken.ThrowIfCancellationRequested();

            // One for each: a file may be so broken that the engine cannot go on. As small as one that makes segments, which may have asked.
            using var engine = new SegmentEngine(folder, RandomAccess.FlushToDisk);
            if (CanBeRead(segment.Path) && !engine.CanRead(segment, cancellationToken))
            {
                broken.Add(segment);
            }
        }

        return broken;
    }

    /// <summary>Not when it is gone, when too many files are open, or when the disk fails.</summary>
    private static bool CanBeRead(string path)
    {
        try
        {
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var buffer = new byte[256 * 1024];
            for (var offset = 0L; RandomAccess.Read(file, buffer, offset) is > 0 and var read;)
            {
                offset += read;
            }

            return true;
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
