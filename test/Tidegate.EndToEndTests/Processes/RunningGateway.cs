using System.Net;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Processes;

/// <summary>A directory with a configuration, and <c>tidegate run</c> as a process that runs it.</summary>
internal sealed class RunningGateway : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tidegate-test-");
    private readonly List<TidegateProcess> _processes = [];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The last one started.</summary>
    public TidegateProcess Process => _processes[^1];

    /// <summary>The configuration's path.</summary>
    public string File => At("tidegate.yaml");

    public string At(string name) => Path.Combine(_directory.FullName, name);

    /// <summary>Writes the configuration and starts a process with it.</summary>
    public TidegateProcess Start(string yaml)
    {
        System.IO.File.WriteAllText(File, yaml);
        return Start();
    }

    /// <summary>Starts a process with the configuration that is there.</summary>
    public TidegateProcess Start()
    {
        _processes.Add(TidegateProcess.Start(["run", "--config", File]));
        return Process;
    }

    /// <summary>Waits until a listener listens.</summary>
    public async Task<IPEndPoint> ListensAsync(string listener)
    {
        var line = await Process.LineAsync(line => line.StartsWith(listener + " listens on ", StringComparison.Ordinal), Cancellation);
        return IPEndPoint.Parse(line.Split(' ')[^1]);
    }

    public void Dispose()
    {
        foreach (var process in _processes)
        {
            process.Dispose();
        }

        _directory.Delete(recursive: true);
    }
}
