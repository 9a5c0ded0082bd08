using System.Text.Json;
using Tidegate.Control;
using Tidegate.Control.Store;

namespace Tidegate.Dashboard.SignIn;

/// <summary>Who is signed in, over a restart. Written whole and in the background after each change: there are few sessions, and they change when somebody comes or goes.</summary>
internal sealed class SessionFile(string path, Action<string> log)
{
    /// <summary>Within the state directory.</summary>
    public const string Name = "sessions.json";

    // Far more than all there can be, with long names.
    private const long MaxBytes = 4 << 20;

    private readonly Lock _gate = new();
    private readonly ToldOnce _trouble = new(log);
    private Task _saving = Task.CompletedTask;
    private Func<IReadOnlyList<SavedSession>>? _next;
    private bool _isSaving;

    /// <summary>When everything is in the file that was to be saved until now.</summary>
    public Task Saved
    {
        get
        {
            lock (_gate)
            {
                return _saving;
            }
        }
    }

    /// <summary>What the last process kept; nothing where it cannot be read, and the log says so.</summary>
    public IReadOnlyList<SavedSession> Read()
    {
        try
        {
            return !File.Exists(path) ? []
                : new FileInfo(path).Length <= MaxBytes ? SavedSession.Read(File.ReadAllBytes(path))
                : throw new FormatException("it is too large");
        }
        catch (Exception unreadable) when (unreadable is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            log($"{path} cannot be read ({unreadable.Message}). Whoever was signed in has to sign in again.");
            return [];
        }
    }

    /// <summary>Saves in the background; of several changes at once only the last is written.</summary>
    /// <param name="sessions">Asked when it is written.</param>
    public void Save(Func<IReadOnlyList<SavedSession>> sessions)
    {
        lock (_gate)
        {
            _next = sessions;
            if (!_isSaving)
            {
                _isSaving = true;
                _saving = Task.Run(SaveAll);
            }
        }
    }

    private void SaveAll()
    {
        while (true)
        {
            Func<IReadOnlyList<SavedSession>> next;
            lock (_gate)
            {
                if (_next is null)
                {
                    _isSaving = false;
                    return;
                }

                next = _next;
                _next = null;
            }

            Write(next());
        }
    }

    private void Write(IReadOnlyList<SavedSession> sessions)
    {
        try
        {
            if (sessions.Count == 0)
            {
                Delete();
            }
            else
            {
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                PrivateFile.Replace(path, SavedSession.Write(sessions));
            }

            _trouble.Over($"{path} can be written again: whoever is signed in stays so over a restart.");
        }
        catch (Exception unwritable) when (unwritable is IOException or UnauthorizedAccessException)
        {
            _trouble.Tell($"{path} cannot be written: {unwritable.Message} {Forget()}");
        }
    }

    /// <summary>An older one would take back who signed out since; a full disk still lets it be deleted.</summary>
    private string Forget()
    {
        try
        {
            Delete();
            return "Whoever is signed in has to sign in again after a restart.";
        }
        catch (Exception stuck) when (stuck is IOException or UnauthorizedAccessException)
        {
            return $"Nor can it be deleted ({stuck.Message}): delete it before the next start, which would take back who signed out since it was written.";
        }
    }

    private void Delete()
    {
        if (File.Exists(path))
        {
            File.Delete(path);
        }
    }
}
