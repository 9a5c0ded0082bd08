using Microsoft.Win32.SafeHandles;

namespace Tidegate.Policies.Cache.Disk;

/// <summary>One file of stored answers, one behind the other. Written at its end only; goes as a whole.</summary>
internal sealed class DiskSegment(string path, SafeFileHandle handle, long length) : IDisposable
{
    private int _users = 1;

    public string Path { get; } = path;

    public SafeFileHandle Handle { get; } = handle;

    public long Length { get; set; } = length;

    /// <summary>What is in it, so that the index forgets it with the file.</summary>
    public List<DiskEntry> Entries { get; } = [];

    /// <summary>Deleted from the directory, and perhaps still being read.</summary>
    public bool IsDropped { get; private set; }

    /// <summary>Its room on the disk is free.</summary>
    public bool IsGone => Volatile.Read(ref _users) == 0;

    /// <summary>Keeps it readable; false when it is gone.</summary>
    public bool TryUse()
    {
        var users = Volatile.Read(ref _users);
        while (users > 0)
        {
            var found = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (found == users)
            {
                return true;
            }

            users = found;
        }

        return false;
    }

    public void Release()
    {
        if (Interlocked.Decrement(ref _users) == 0)
        {
            Handle.Dispose();
        }
    }

    public void Drop()
    {
        IsDropped = true;
        File.Delete(Path);
        Release();
    }

    public void Dispose() => Release();
}

/// <summary>Where an answer is on the disk.</summary>
internal sealed class DiskEntry(StoredAnswer answer, DateTimeOffset freshUntil, DiskSegment segment, long offset, int headBytes, long contentBytes)
{
    public UInt128 Key { get; } = answer.Key;

    public byte[]? Vary { get; } = answer.Vary.IsEmpty ? null : answer.Vary.ToArray();

    /// <summary>From when on it is stale.</summary>
    public DateTimeOffset FreshUntil { get; } = freshUntil;

    public DiskSegment Segment { get; } = segment;

    public long Offset { get; } = offset;

    public int HeadBytes { get; } = headBytes;

    public long ContentBytes { get; } = contentBytes;

    public long ContentOffset => Offset + DiskRecord.FrameBytes + HeadBytes;

    public long Bytes => DiskRecord.FrameBytes + HeadBytes + ContentBytes;

    public DiskEntry? Next { get; set; }
}
