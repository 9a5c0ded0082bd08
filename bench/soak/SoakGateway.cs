using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Tidegate.Soak;

/// <summary>The shipped process with every policy that there is, in a directory of its own.</summary>
internal sealed partial class SoakGateway : IAsyncDisposable
{
    private readonly Process _process;
    private readonly string _directory;
    private readonly TaskCompletionSource<Dictionary<string, Uri>> _listening = new();
    private readonly Dictionary<string, Uri> _listeners = [];

    private SoakGateway(Process process, string directory)
    {
        _process = process;
        _directory = directory;
        process.OutputDataReceived += (_, line) => Read(line.Data);
        process.ErrorDataReceived += (_, line) => Read(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public Uri this[string listener] => _listeners[listener];

    public static async Task<SoakGateway> StartAsync(int upstream)
    {
        var directory = Directory.CreateTempSubdirectory("tidegate-soak-").FullName;
        var file = Path.Combine(directory, "tidegate.yaml");
        await File.WriteAllTextAsync(file, $$"""
            listeners:
              ingress: { address: 127.0.0.1:0 }
              egress: { address: 127.0.0.1:0 }
              admin: { address: 127.0.0.1:0 }
            consumers:
              - { name: soak, tenant: acme, environment: test, credentials: [{ api_key: "${env:SOAK_KEY}" }] }
            apis:
              - name: ours
                direction: ingress
                authenticate: [api_key]
                access: { consumers: [soak] }
                upstream: { destinations: [http://127.0.0.1:{{upstream}}] }
                limits: [{ rate: 100000/s, per: [consumer, client_address] }, { concurrency: 1000 }]
                endpoints: [{ match: { path: /many/* }, limits: [{ rate: 5/s, per: 'header:x-many' }] }]
              - name: theirs
                direction: egress
                hosts: [theirs.test]
                base_path: /theirs
                upstream: { destinations: [http://127.0.0.1:{{upstream}}] }
                limits: [{ rate: 1000/s, when_exceeded: queue }]
                retry: { backoff: { base: 1ms } }
                circuit_breaker: {}
            recording: { access_log: { path: access.log } }
            """);
        var host = Path.Combine(Repository(), "src/Tidegate.Host/bin/Release/net10.0/Tidegate.Host.dll");
        var start = new ProcessStartInfo("dotnet", [host, "run", "--config", file]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["SOAK_KEY"] = "soak-key-of-the-soak-test";
        var gateway = new SoakGateway(Process.Start(start)!, directory);
        await gateway._listening.Task.WaitAsync(TimeSpan.FromSeconds(60));
        return gateway;
    }

    public async ValueTask DisposeAsync()
    {
        using var terminate = Process.Start("kill", ["-TERM", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await terminate.WaitForExitAsync();
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private void Read(string? line)
    {
        if (line is not null && Listener().Match(line) is { Success: true } found)
        {
            _listeners[found.Groups[1].Value] = new Uri("http://" + found.Groups[2].Value);
        }

        if (_listeners.Count == 3)
        {
            _listening.TrySetResult(_listeners);
        }
    }

    private static string Repository()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "tidegate.slnx")))
        {
            directory = directory.Parent;
        }

        return directory.FullName;
    }

    [GeneratedRegex(@"(ingress|egress|admin)\D+?(127\.0\.0\.1:\d+)")]
    private static partial Regex Listener();
}
