namespace Tidegate.Control.Admin;

/// <summary>
/// Where files are made until they are sent: a directory of this process alone with a name of chance, made when it is first needed and removed at the end. What processes that are gone have
/// left of theirs in the gateway's own folder is removed at the start; nothing else is touched.
/// </summary>
internal sealed class ExportFolder : IDisposable
{
    private const string Name = "exports";
    private const string Held = ".held";

    private readonly Lock _gate = new();
    private readonly string? _parent;
    private readonly Action<string> _log;
    private string? _own;
    private FileStream? _held;

    /// <param name="folder">The gateway's own; null: there is none, and the machine's directory for what is temporary takes its place.</param>
    /// <param name="log">Takes one line.</param>
    public ExportFolder(string? folder, Action<string> log)
    {
        _parent = folder is null ? null : Path.Combine(folder, Name);
        _log = log;
        if (_parent is not null)
        {
            RemoveLeft(_parent);
        }
    }

    /// <summary>Makes a directory for one file.</summary>
    /// <exception cref="IOException">It cannot be made; also <see cref="UnauthorizedAccessException"/>.</exception>
    public string Begin()
    {
        lock (_gate)
        {
            if (_own is null || !Directory.Exists(_own))
            {
                // Again too when somebody tidied up what is temporary.
                _held?.Dispose();
                (_own, _held) = Make();
            }

            var folder = Path.Combine(_own, Guid.NewGuid().ToString("N"));
            PrivateFolder.Make(folder);
            return folder;
        }
    }

    /// <summary>The file was sent.</summary>
    public void End(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception stuck) when (stuck is IOException or UnauthorizedAccessException)
        {
            _log($"A file that was exported cannot be removed from {folder}: {stuck.Message} It goes when the gateway ends.");
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_own is not null && Directory.Exists(_own))
            {
                End(_own);
            }

            if (_held is not null)
            {
                LetGo(_held);
            }

            (_own, _held) = (null, null);
        }
    }

    private (string Own, FileStream? Held) Make()
    {
        if (_parent is null)
        {
            return (Directory.CreateTempSubdirectory("tidegate-exports-").FullName, null);
        }

        // First what says whose it is: the kernel gives it back when the process ends, however that is.
        PrivateFolder.Make(_parent);
        var own = Path.Combine(_parent, Guid.NewGuid().ToString("N"));
        var held = new FileStream(own + Held, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        try
        {
            PrivateFolder.Make(own);
            return (own, held);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    private void RemoveLeft(string parent)
    {
        try
        {
            foreach (var left in Directory.Exists(parent) ? Directory.GetDirectories(parent) : [])
            {
                if (Guid.TryParseExact(Path.GetFileName(left), "N", out _) && Hold(left + Held) is { } held)
                {
                    Directory.Delete(left, recursive: true);
                    LetGo(held);
                }
            }
        }
        catch (Exception stuck) when (stuck is IOException or UnauthorizedAccessException)
        {
            _log($"What a gateway that is gone has left in {parent} cannot be removed: {stuck.Message}");
        }
    }

    private void LetGo(FileStream held)
    {
        held.Dispose();
        try
        {
            File.Delete(held.Name);
        }
        catch (Exception stuck) when (stuck is IOException or UnauthorizedAccessException)
        {
            _log($"{held.Name} cannot be removed: {stuck.Message}");
        }
    }

    private static FileStream? Hold(string path)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            // Whoever made it is still there.
            return null;
        }
    }
}
