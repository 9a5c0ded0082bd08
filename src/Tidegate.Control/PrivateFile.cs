namespace Tidegate.Control;

/// <summary>A small file that nobody but the gateway's user may read: written whole beside the old one, then put in its place.</summary>
internal static class PrivateFile
{
    private const string Unfinished = ".unfinished";

    /// <exception cref="IOException">The disk is full, for example; also <see cref="UnauthorizedAccessException"/>. What was there stays.</exception>
    public static void Replace(string path, byte[] content)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using (var file = new FileStream(path + Unfinished, options))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }

        File.Move(path + Unfinished, path, overwrite: true);
    }
}
