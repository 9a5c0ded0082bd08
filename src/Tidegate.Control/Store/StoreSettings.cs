using Microsoft.Win32.SafeHandles;

namespace Tidegate.Control.Store;

/// <summary>Where exchanges are kept, and how many.</summary>
internal sealed record StoreSettings
{
    /// <summary>Two charts of the longest view, and a hundred kilobytes an hour at a hundred kinds of exchanges.</summary>
    public static readonly TimeSpan MinutesAge = TimeSpan.FromDays(8);

    /// <summary>A year and the month to compare it with.</summary>
    public static readonly TimeSpan HoursAge = TimeSpan.FromDays(400);

    public required string Directory { get; init; }

    /// <summary>Of segments and log; the oldest go first.</summary>
    public required long MaxBytes { get; init; }

    public required TimeSpan MaxAge { get; init; }

    /// <summary>A file of the log becomes a segment at this size, or when the hour is over: some 50,000 exchanges, which take 100 MB while they are turned into one; small ones are put together.</summary>
    public long MaxLogBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>What engines may take.</summary>
    public EngineMemory Memory { get; init; } = new();

    /// <summary>Returns when what was written to a file of the log is on the disk; a disk may take its time for it.</summary>
    public Action<SafeFileHandle> FlushToDisk { get; init; } = RandomAccess.FlushToDisk;

    /// <summary>Writes to a file of the log; a disk may be full.</summary>
    public DiskWrite WriteToDisk { get; init; } = RandomAccess.Write;
}

/// <summary>Writes all of some bytes at a place in a file.</summary>
internal delegate void DiskWrite(SafeFileHandle file, ReadOnlySpan<byte> bytes, long offset);
