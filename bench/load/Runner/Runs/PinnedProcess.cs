using System.Diagnostics;
using Tidegate.Load.Peers;

namespace Tidegate.Load.Runs;

/// <summary>A process pinned to a core, ended with the run.</summary>
internal sealed class PinnedProcess : IDisposable
{
    private readonly Process _process;
    private readonly Queue<string> _lastErrors = new();
    private bool _isOver;

    public PinnedProcess(int core, PeerCommand command)
    {
        // Both replace themselves by the program, so the id is the program's. It dies with us, however we end.
        var start = new ProcessStartInfo("taskset", ["-c", $"{core}", "setpriv", "--pdeathsig", "KILL", Tool.Find(command.File) ?? throw new FileNotFoundException(command.File + " is not installed."), .. command.Arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in command.Environment)
        {
            start.Environment[name] = value;
        }

        _process = Process.Start(start)!;
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    /// <summary>CPU seconds of those that ended together with a process that had started them.</summary>
    public static double OrphanCpuSeconds { get; private set; }

    public bool HasEnded => _process.HasExited;

    /// <summary>The last lines that it wrote to its error stream.</summary>
    public string LastErrors
    {
        get
        {
            lock (_lastErrors)
            {
                return string.Join('\n', _lastErrors);
            }
        }
    }

    /// <summary>The next line of its output.</summary>
    /// <exception cref="InvalidOperationException">It ended instead.</exception>
    public string ReadLine() => _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException($"{_process.StartInfo.ArgumentList[5]} ended: {LastErrors}");

    /// <summary>Throws away what it writes from now on, so that it never waits for a reader.</summary>
    public void IgnoreOutput()
    {
        _process.OutputDataReceived += static (_, _) => { };
        _process.BeginOutputReadLine();
    }

    /// <summary>Waits for its end; what it wrote.</summary>
    public string ReadToEnd()
    {
        var output = _process.StandardOutput.ReadToEnd();
        _process.WaitForExit();
        return output;
    }

    public void Dispose()
    {
        if (_isOver)
        {
            return;
        }

        _isOver = true;
        if (!_process.HasExited)
        {
            OrphanCpuSeconds += ProcessTree.CpuSecondsOfDescendants(_process.Id);
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private void Keep(string? line)
    {
        lock (_lastErrors)
        {
            if (line is not null)
            {
                _lastErrors.Enqueue(line);
            }

            if (_lastErrors.Count > 5)
            {
                _lastErrors.Dequeue();
            }
        }
    }
}
