namespace Tidegate.Configuration;

/// <summary>What a file was like when it was read, so that a later change of it shows, however soon after it came.</summary>
/// <param name="Path">As it is opened.</param>
/// <param name="Target">Where a link led: mounted volumes swap links instead of changing files.</param>
/// <param name="LastWriteTicks">0 when the file was not there.</param>
/// <param name="Length">In bytes.</param>
internal sealed record FileStamp(string Path, string? Target, long LastWriteTicks, long Length)
{
    /// <summary>Looks at a file. Take the stamp before reading: what changes in between is then seen as a change.</summary>
    public static FileStamp Of(string path)
    {
        try
        {
            return new FileInfo(path) is { Exists: true } file
                ? new FileStamp(path, file.ResolveLinkTarget(returnFinalTarget: true)?.FullName, File.GetLastWriteTimeUtc(path).Ticks, file.Length)
                : new FileStamp(path, null, 0, 0);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            // A link being swapped right now: the next look tells.
            return new FileStamp(path, null, 0, 0);
        }
    }
}
