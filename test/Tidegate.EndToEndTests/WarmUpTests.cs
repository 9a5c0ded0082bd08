using System.Text.Json;
using Tidegate.Host.Commands;
using Tidegate.Host.Warming;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>The gateway that runs before the real one listens.</summary>
public sealed class WarmUpTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tidegate-test-");
    private readonly List<string> _log = [];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public async Task It_drives_exchanges_and_says_how_many_in_one_line()
    {
        await WarmUp.RunAsync(null, TimeProvider.System, _log.Add, Cancellation);

        Assert.Matches("^Warm-up: [1-9][0-9]* exchanges in [0-9]+ ms(, time was up before the code had settled)?\\.$", Assert.Single(_log, line => !line.StartsWith("Reactor ", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Switched_off_it_does_nothing()
    {
        await WarmUp.RunAsync("off", TimeProvider.System, _log.Add, Cancellation);

        Assert.Empty(_log);
    }

    [Fact]
    public async Task A_failure_is_a_line_and_does_not_stop_the_start()
    {
        await WarmUp.GuardAsync((_, _) => throw new IOException("no descriptor"), TimeProvider.System, _log.Add, Cancellation);

        Assert.Contains("no descriptor", Assert.Single(_log), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_start_that_was_given_up_ends_it()
    {
        using var givenUp = new CancellationTokenSource();
        await givenUp.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => WarmUp.RunAsync(null, TimeProvider.System, _log.Add, givenUp.Token));
    }

    [Fact]
    public async Task A_process_warms_up_before_it_listens_and_nothing_of_it_is_seen_afterwards()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Signals are sent with kill, and listening sockets are read from /proc.");
        var file = Path.Combine(_directory.FullName, "tidegate.yaml");
        var accessLog = Path.Combine(_directory.FullName, "access.log");
        await File.WriteAllTextAsync(
            file,
            $$"""
            listeners: { ingress: { address: 127.0.0.1:0 }, admin: { address: 127.0.0.1:0 } }
            recording: { access_log: { path: {{accessLog}} } }
            apis:
              - { name: open, direction: ingress, hosts: [open.test], upstream: { destinations: ["http://127.0.0.1:1"] } }
            """,
            Cancellation);
        using var tidegate = TidegateProcess.Start(["run", "--config", file], ("TIDEGATE_WARM_UP", ""));
        var admin = (await tidegate.LineAsync(line => line.StartsWith("admin listens on", StringComparison.Ordinal), Cancellation)).Split(' ')[^1];
        Assert.StartsWith("Warm-up: ", tidegate.Lines.First(), StringComparison.Ordinal);

        using var client = new HttpClient { BaseAddress = new Uri($"http://{admin}") };
        using var exchanges = JsonDocument.Parse(await client.GetStringAsync("/api/v1/exchanges", Cancellation));
        Assert.Equal(0, exchanges.RootElement.GetProperty("exchanges").GetArrayLength());
        var metrics = await client.GetStringAsync("/metrics", Cancellation);
        Assert.DoesNotContain("warm-up", metrics, StringComparison.Ordinal);
        Assert.DoesNotContain(metrics.Split('\n'), line => line.StartsWith("tidegate_exchanges_total", StringComparison.Ordinal));
        Assert.Equal(2, ListeningSockets(tidegate.Id).Distinct().Count());
        await tidegate.SignalAsync("TERM", Cancellation);
        Assert.Equal(ExitCode.Success, await tidegate.ExitCodeAsync(Cancellation));
        Assert.Equal("", await File.ReadAllTextAsync(accessLog, Cancellation));
    }

    /// <summary>The ports that a process listens on.</summary>
    private static IEnumerable<int> ListeningSockets(int process)
    {
        const string Listening = "0A";
        var own = Directory.GetFiles($"/proc/{process}/fd").Select(file => new FileInfo(file).LinkTarget).OfType<string>().ToHashSet();
        foreach (var line in File.ReadLines($"/proc/{process}/net/tcp").Skip(1))
        {
            var columns = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (columns[3] == Listening && own.Contains($"socket:[{columns[9]}]"))
            {
                yield return Convert.ToInt32(columns[1].Split(':')[1], 16);
            }
        }
    }
}
