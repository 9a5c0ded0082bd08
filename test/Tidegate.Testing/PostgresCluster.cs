using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Tidegate.Testing;

/// <summary>A PostgreSQL of a test's own: in a directory of its own, on loopback, run by somebody without rights, and gone afterwards.</summary>
public sealed class PostgresCluster : IDisposable
{
    private const string User = "tidegate";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _directory = Path.Combine(Path.GetTempPath(), "tidegate-pg-" + Guid.NewGuid().ToString("n"));
    private readonly string _programs;
    private readonly string[] _settings;
    private readonly int _port;
    private Process? _server;

    /// <summary>A small one that does not care for its disk.</summary>
    /// <param name="programs">What <see cref="Programs"/> gave.</param>
    public PostgresCluster(string programs)
        : this(programs, ["-F", "-c", "shared_buffers=16MB"])
    {
    }

    /// <param name="programs">What <see cref="Programs"/> gave.</param>
    /// <param name="settings">As postgres takes them.</param>
    public PostgresCluster(string programs, IReadOnlyList<string> settings)
    {
        _programs = programs;
        _settings = [.. settings];
        using (var free = new TcpListener(IPAddress.Loopback, 0))
        {
            free.Start();
            _port = ((IPEndPoint)free.LocalEndpoint).Port;
        }

        Directory.CreateDirectory(_directory);
        if (Environment.IsPrivilegedProcess)
        {
            // PostgreSQL refuses to be run by who may do everything.
            Run("chown", "nobody", _directory);
        }

        Run(Unprivileged("initdb", "-D", _directory, "-U", User, "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"));
        Start();
    }

    /// <summary>As a user writes it.</summary>
    public string Address => string.Create(CultureInfo.InvariantCulture, $"postgresql://{User}@127.0.0.1:{_port}/postgres");

    /// <summary>The server that others were begun by.</summary>
    public int ProcessId => _server!.Id;

    /// <summary>Where initdb and postgres are; null when they are not installed.</summary>
    public static string? Programs() => Directory.Exists("/usr/lib/postgresql")
        ? Directory.EnumerateDirectories("/usr/lib/postgresql").Select(version => Path.Combine(version, "bin")).LastOrDefault(programs => File.Exists(Path.Combine(programs, "initdb")))
        : null;

    public void Start()
    {
        var start = Unprivileged("postgres", ["-D", _directory, "-p", _port.ToString(CultureInfo.InvariantCulture), "-h", "127.0.0.1", "-k", _directory, "-c", "logging_collector=on", .. _settings]);

        // Two lines, and the rest goes to a file.
        start.RedirectStandardError = true;
        _server = Process.Start(start)!;
        var began = Stopwatch.GetTimestamp();
        while (!Answers())
        {
            if (_server.WaitForExit(TimeSpan.FromMilliseconds(50)) || Stopwatch.GetElapsedTime(began) > Patience)
            {
                throw new InvalidOperationException("PostgreSQL did not start.");
            }
        }
    }

    /// <summary>As a machine's end does it.</summary>
    public void Stop()
    {
        if (_server is { HasExited: false } server)
        {
            // SIGQUIT: at once, with its children.
            Run("kill", "-QUIT", server.Id.ToString(CultureInfo.InvariantCulture));
            server.WaitForExit(Patience);
        }

        _server?.Dispose();
        _server = null;
    }

    public void Dispose()
    {
        Stop();
        Directory.Delete(_directory, recursive: true);
    }

    private static void Run(string program, params string[] arguments) => Run(new ProcessStartInfo(program, arguments));

    private static void Run(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        using var process = Process.Start(start)!;
        var said = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{start.FileName} ended with {process.ExitCode}: {said}");
        }
    }

    private ProcessStartInfo Unprivileged(string program, params string[] arguments)
    {
        var path = Path.Combine(_programs, program);
        return Environment.IsPrivilegedProcess
            ? new ProcessStartInfo("setpriv", ["--reuid=nobody", "--regid=nogroup", "--clear-groups", path, .. arguments]) { WorkingDirectory = "/" }
            : new ProcessStartInfo(path, arguments);
    }

    private bool Answers()
    {
        var start = new ProcessStartInfo(Path.Combine(_programs, "pg_isready"), ["-q", "-U", User, "-h", "127.0.0.1", "-p", _port.ToString(CultureInfo.InvariantCulture)]);
        using var process = Process.Start(start)!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
