namespace Tidegate.Control;

/// <summary>A directory that nobody but the gateway's user may enter.</summary>
internal static class PrivateFolder
{
    private const UnixFileMode OwnersOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Makes it, or takes the one that is there.</summary>
    /// <exception cref="IOException">It cannot be made; also <see cref="UnauthorizedAccessException"/>, when it is somebody else's.</exception>
    public static void Make(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
            return;
        }

        Directory.CreateDirectory(path, OwnersOnly);
        if (File.GetUnixFileMode(path) != OwnersOnly)
        {
            // It was there.
            File.SetUnixFileMode(path, OwnersOnly);
        }
    }
}
