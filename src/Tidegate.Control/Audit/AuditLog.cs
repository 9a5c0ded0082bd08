namespace Tidegate.Control.Audit;

/// <summary>
/// Who did what: a file of JSON lines that only grows, up to its bound, and the last entries in memory. What cannot be written is counted and said, and does not
/// keep anybody from working: a full disk must not lock out those who can mend it.
/// </summary>
internal sealed class AuditLog
{
    /// <summary>Entries that can be asked for.</summary>
    public const int Kept = 1_000;

    public const string FileName = "audit.jsonl";

    // Some 30,000 entries a file: years of changes, and a bound for who writes them by guessing passwords.
    private const long MaxFileBytes = 8 << 20;
    private const int OlderFiles = 3;

    // Whoever guesses passwords must not push what others did out of the files, nor keep others' failures from being seen.
    private const int MaxFailuresPerMinute = 60;
    private const int MaxFailuresOfAddress = 15;

    private readonly Lock _gate = new();
    private readonly Queue<AuditEntry> _recent = new(Kept);
    private readonly Action<string> _log;
    private readonly TimeProvider _time;
    private readonly long _maxFileBytes;
    private DateTimeOffset _minute;
    private readonly Dictionary<string, int> _failedInMinute = [];
    private int _keptInMinute;
    private long _leftOut;
    private long _failures;

    /// <param name="directory">The state directory; null: only memory is used.</param>
    /// <param name="log">Takes one line.</param>
    /// <param name="time">The clock.</param>
    /// <param name="maxFileBytes">Of one file, before the next is begun.</param>
    public AuditLog(string? directory, Action<string> log, TimeProvider time, long maxFileBytes = MaxFileBytes)
    {
        _log = log;
        _time = time;
        _maxFileBytes = maxFileBytes;
        File = directory is null ? null : Path.Combine(directory, FileName);
        Remember();
    }

    /// <summary>Where the entries are; null: nowhere.</summary>
    public string? File { get; }

    /// <summary>Entries that could not be written.</summary>
    public long Failures => Interlocked.Read(ref _failures);

    /// <summary>Adds what somebody did, or tried to.</summary>
    public void Add(string who, string address, string action, string detail, bool succeeded = true)
    {
        lock (_gate)
        {
            var now = _time.GetUtcNow();
            if (!succeeded && IsTooMuch(now, address))
            {
                _leftOut++;
                return;
            }

            if (_leftOut > 0)
            {
                Keep(new AuditEntry(now, "", "", "left_out", $"{_leftOut} failed attempts, more than {MaxFailuresOfAddress} a minute from one address or {MaxFailuresPerMinute} in all", false));
                _leftOut = 0;
            }

            Keep(new AuditEntry(now, who, address, action, detail, succeeded));
        }
    }

    /// <summary>The last entries, the newest first.</summary>
    public IReadOnlyList<AuditEntry> Recent(int limit)
    {
        lock (_gate)
        {
            return [.. _recent.Reverse().Take(limit)];
        }
    }

    private bool IsTooMuch(DateTimeOffset now, string address)
    {
        if (now - _minute >= TimeSpan.FromMinutes(1) || now < _minute)
        {
            _minute = now;
            _keptInMinute = 0;
            _failedInMinute.Clear();
        }

        var ofAddress = _failedInMinute.GetValueOrDefault(address);
        if (_keptInMinute >= MaxFailuresPerMinute || ofAddress >= MaxFailuresOfAddress)
        {
            return true;
        }

        _keptInMinute++;
        _failedInMinute[address] = ofAddress + 1;
        return false;
    }

    private void Keep(AuditEntry entry)
    {
        if (_recent.Count == Kept)
        {
            _recent.Dequeue();
        }

        _recent.Enqueue(entry);
        if (File is null)
        {
            return;
        }

        try
        {
            var options = new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write, Share = FileShare.Read | FileShare.Delete, BufferSize = 0 };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            using var file = new FileStream(File, options);
            file.Write(entry.ToLine());
            file.Flush(flushToDisk: true);
            if (file.Length >= _maxFileBytes)
            {
                Rotate();
            }
        }
        catch (Exception unwritable) when (unwritable is IOException or UnauthorizedAccessException)
        {
            if (Interlocked.Increment(ref _failures) == 1)
            {
                _log($"The audit log cannot be written: {unwritable.Message} The last {Kept} entries are in memory; counted in tidegate_audit_failures_total.");
            }
        }
    }

    private void Rotate()
    {
        for (var i = OlderFiles; i > 1; i--)
        {
            if (System.IO.File.Exists(Older(i - 1)))
            {
                System.IO.File.Move(Older(i - 1), Older(i), overwrite: true);
            }
        }

        System.IO.File.Move(File!, Older(1), overwrite: true);
    }

    private string Older(int number) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{File}.{number}");

    private void Remember()
    {
        if (File is null)
        {
            return;
        }

        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(File)!);
            foreach (var path in (string[])[Older(1), File])
            {
                if (!System.IO.File.Exists(path))
                {
                    continue;
                }

                foreach (var line in System.IO.File.ReadLines(path))
                {
                    if (AuditEntry.OfLine(line) is { } entry)
                    {
                        if (_recent.Count == Kept)
                        {
                            _recent.Dequeue();
                        }

                        _recent.Enqueue(entry);
                    }
                }
            }

            EndCutLine();
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            _log($"The audit log cannot be read: {unreadable.Message} What was done before this start is not shown.");
        }
    }

    /// <summary>After a death in mid-line the next entry must not become part of it.</summary>
    private void EndCutLine()
    {
        using var file = new FileStream(File!, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        if (!OperatingSystem.IsWindows())
        {
            System.IO.File.SetUnixFileMode(file.SafeFileHandle, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        if (file.Length > 0)
        {
            file.Position = file.Length - 1;
            if (file.ReadByte() != '\n')
            {
                file.WriteByte((byte)'\n');
            }
        }
    }
}
