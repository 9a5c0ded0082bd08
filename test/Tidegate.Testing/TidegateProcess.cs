using System.Collections.Concurrent;
using System.Diagnostics;

namespace Tidegate.Testing;

/// <summary>The <c>tidegate</c> executable as a process of its own, for what only a process shows: signals, exit codes, its environment.</summary>
public sealed class TidegateProcess : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();

    private TidegateProcess(Process process)
    {
        _process = process;
        process.OutputDataReceived += Received;
        process.ErrorDataReceived += Received;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>Its number.</summary>
    public int Id => _process.Id;

    /// <summary>What it wrote so far, to both streams.</summary>
    public IReadOnlyCollection<string> Lines => _lines;

    /// <summary>Starts a command.</summary>
    public static TidegateProcess Start(string[] arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Tidegate.Host.dll"), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        // Most of a second of every test, otherwise.
        start.Environment["TIDEGATE_WARM_UP"] = "off";
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return new TidegateProcess(Process.Start(start)!);
    }

    /// <summary>Waits for a line.</summary>
    /// <exception cref="TimeoutException">It did not come.</exception>
    public async Task<string> LineAsync(Func<string, bool> expected, CancellationToken cancellationToken)
    {
        // By looking: a line that comes while two wait, or while this is disposed of, is nobody's signal that another could miss.
        for (var began = Stopwatch.GetTimestamp(); ; await Task.Delay(10, cancellationToken))
        {
            if (_lines.FirstOrDefault(expected) is { } line)
            {
                return line;
            }

            if (Stopwatch.GetElapsedTime(began) > Patience)
            {
                throw new TimeoutException("That line did not come. These did:\n" + string.Join('\n', _lines));
            }
        }
    }

    /// <summary>Sends a signal, for example <c>TERM</c>.</summary>
    public async Task SignalAsync(string signal, CancellationToken cancellationToken)
    {
        using var kill = Process.Start("kill", ["-" + signal, _process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(cancellationToken);
    }

    /// <summary>Waits for its end, and gives its exit code.</summary>
    public async Task<int> ExitCodeAsync(CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        await _process.WaitForExitAsync(patience.Token);
        return _process.ExitCode;
    }

    /// <summary>Ends it, if it still runs.</summary>
    public void Dispose()
    {
        _process.Kill();
        _process.Dispose();
    }

    private void Received(object sender, DataReceivedEventArgs received)
    {
        // A reactor that a busy machine held up for a quarter of a second is news of the machine.
        if (received.Data is { } line && !(line.StartsWith("Reactor ", StringComparison.Ordinal) && line.Contains(" was busy for ", StringComparison.Ordinal)))
        {
            _lines.Enqueue(line);
        }
    }
}
