using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Tidegate.Policies.Cache.Disk;

/// <summary>The files of stored answers: written at the end of the newest, and the oldest goes as a whole when there is no room. Only the writer uses it.</summary>
internal sealed class DiskLog(string directory, long maxBytes, DiskIndex index, TimeProvider time) : IDisposable
{
    private const string Extension = ".answers";
    private const long MinSegmentBytes = 1 << 20;
    private const long MaxSegmentBytes = 256 << 20;

    // What the index holds of an answer must be small beside the answer's share of the disk.
    private const int BytesPerEntry = 4096;

    private readonly LinkedList<DiskSegment> _segments = [];
    private readonly List<DiskSegment> _leaving = [];
    private readonly long _segmentBytes = Math.Clamp(maxBytes / 16, MinSegmentBytes, MaxSegmentBytes);
    private long _bytes;
    private long _next;

    /// <summary>On the disk, those included that are deleted and still read.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Reads what is there, or deletes it. What is torn, and everything behind it in its file, is dropped.</summary>
    public void Recover(bool isTrusted)
    {
        foreach (var path in Directory.EnumerateFiles(directory, "*" + Extension).Order(StringComparer.Ordinal))
        {
            if (!isTrusted || !long.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                File.Delete(path);
                continue;
            }

            _next = Math.Max(_next, number + 1);
            try
            {
                Recover(path);
            }
            catch (Exception broken) when (broken is IOException or UnauthorizedAccessException)
            {
                // What cannot be read would take room for ever. The others are as good as before.
                File.Delete(path);
            }
        }

        Forget(0);
    }

    /// <summary>Appends an answer; null when there is no room for it.</summary>
    /// <exception cref="IOException">The disk is full or broken.</exception>
    public DiskEntry? Append(StoredAnswer answer, byte[] head)
    {
        var bytes = head.Length + answer.Content.Length;
        if (bytes > _segmentBytes || !Forget(bytes))
        {
            return null;
        }

        var segment = _segments.Last?.Value;
        if (segment is null || segment.Length + bytes > _segmentBytes || segment.Entries.Count >= _segmentBytes / BytesPerEntry)
        {
            var path = Path.Combine(directory, (_next++).ToString("D16", CultureInfo.InvariantCulture) + Extension);
            segment = new DiskSegment(path, Open(path, FileMode.CreateNew), 0);
            _segments.AddLast(segment);
        }

        var entry = new DiskEntry(answer, answer.FreshUntil(time), segment, segment.Length, head.Length - DiskRecord.FrameBytes, answer.Content.Length);
        try
        {
            RandomAccess.Write(segment.Handle, [head, .. answer.Content.Pieces], segment.Length);
        }
        catch (IOException)
        {
            // What was written of it would hide everything behind it from the next start.
            RandomAccess.SetLength(segment.Handle, segment.Length);
            throw;
        }

        segment.Length += bytes;
        segment.Entries.Add(entry);
        Interlocked.Add(ref _bytes, bytes);
        return entry;
    }

    /// <summary>Everything is on the disk itself.</summary>
    public void Flush()
    {
        foreach (var segment in _segments)
        {
            RandomAccess.FlushToDisk(segment.Handle);
        }
    }

    public void Dispose()
    {
        foreach (var segment in _segments)
        {
            segment.Dispose();
        }
    }

    private static SafeFileHandle Open(string path, FileMode mode)
    {
        var handle = File.OpenHandle(path, mode, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);
        if (!OperatingSystem.IsWindows())
        {
            // Before anything is in it: the directory may be one that others can read.
            File.SetUnixFileMode(handle, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        return handle;
    }

    /// <summary>Makes room; false when what would have to go is still being read.</summary>
    private bool Forget(long bytes)
    {
        foreach (var gone in _leaving.Where(static segment => segment.IsGone))
        {
            Interlocked.Add(ref _bytes, -gone.Length);
        }

        _leaving.RemoveAll(static segment => segment.IsGone);
        while (Bytes + bytes > maxBytes)
        {
            if (_segments.First is not { } oldest)
            {
                return false;
            }

            _segments.RemoveFirst();
            foreach (var entry in oldest.Value.Entries)
            {
                index.Remove(entry);
            }

            oldest.Value.Drop();
            if (oldest.Value.IsGone)
            {
                Interlocked.Add(ref _bytes, -oldest.Value.Length);
            }
            else
            {
                _leaving.Add(oldest.Value);
            }
        }

        return true;
    }

    private void Recover(string path)
    {
        var handle = Open(path, FileMode.Open);
        var segment = new DiskSegment(path, handle, 0);
        try
        {
            var length = RandomAccess.GetLength(handle);
            while (TryRecoverNext(segment, length))
            {
            }

            if (segment.Length > 0)
            {
                RandomAccess.SetLength(handle, segment.Length);
                _segments.AddLast(segment);
                Interlocked.Add(ref _bytes, segment.Length);
                return;
            }
        }
        catch
        {
            foreach (var entry in segment.Entries)
            {
                index.Remove(entry);
            }

            segment.Dispose();
            throw;
        }

        segment.Drop();
    }

    /// <summary>The answer behind those that are known; false when none is there, or a torn one.</summary>
    private bool TryRecoverNext(DiskSegment segment, long length)
    {
        Span<byte> frame = stackalloc byte[DiskRecord.FrameBytes];
        if (length - segment.Length < frame.Length || RandomAccess.Read(segment.Handle, frame, segment.Length) != frame.Length || !DiskRecord.TryReadFrame(frame, out var headBytes, out var contentBytes)
            || contentBytes > length - segment.Length - frame.Length - headBytes)
        {
            return false;
        }

        var bytes = new byte[frame.Length + headBytes];
        if (RandomAccess.Read(segment.Handle, bytes, segment.Length) != bytes.Length || DiskRecord.Decode(bytes, new StoredContent(), time, out _, out var isFromFuture) is not { } answer)
        {
            return false;
        }

        var entry = new DiskEntry(answer, answer.FreshUntil(time), segment, segment.Length, headBytes, contentBytes);
        segment.Length += entry.Bytes;
        if (!isFromFuture)
        {
            segment.Entries.Add(entry);
            index.Put(entry);
        }

        return true;
    }
}
