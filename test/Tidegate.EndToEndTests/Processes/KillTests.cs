using System.Text.Json;
using Tidegate.Edge.Interception;
using Tidegate.Host.Commands;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Processes;

/// <summary>A gateway that was killed without warning, and the one that takes its place.</summary>
public sealed class KillTests
{
    private const int Killed = 128 + 9;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task After_kill_9_under_load_the_next_process_serves_on_the_same_port_and_begins_a_line_of_its_own()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Signals are sent with kill.");
        await using var upstream = await EchoUpstream.StartAsync();
        using var gateway = new RunningGateway();
        CertificateAuthority.Create(CertificateAuthority.In(gateway.At("state")), TimeProvider.System).Dispose();
        var (ingress, egress, admin) = (TestPorts.Free(), TestPorts.Free(), TestPorts.Free());
        gateway.Start($$"""
            state_directory: state
            listeners: { ingress: { address: 127.0.0.1:{{ingress}} }, egress: { address: 127.0.0.1:{{egress}}, intercept: true }, admin: { address: 127.0.0.1:{{admin}} } }
            apis: [{ name: api, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }]
            recording: { access_log: { path: access.log } }
            """);
        var address = await gateway.ListensAsync("ingress");

        await using (var callers = new KeepAliveCallers(address, 8, "/before", Cancellation))
        {
            await callers.AnsweredAsync(200);
            while (new FileInfo(gateway.At("access.log")).Length == 0)
            {
                await Task.Delay(20, Cancellation);
            }

            await gateway.Process.SignalAsync("KILL", Cancellation);
            Assert.Equal(Killed, await gateway.Process.ExitCodeAsync(Cancellation));
        }

        // A kill may come in the middle of a line; whether this one did is chance, so the last whole one is cut here.
        var lastEnd = Array.LastIndexOf(await File.ReadAllBytesAsync(gateway.At("access.log"), Cancellation), (byte)'\n');
        using (var log = File.OpenWrite(gateway.At("access.log")))
        {
            log.SetLength(lastEnd - 10);
        }

        var before = Directory.GetFiles(gateway.At("."), "*", SearchOption.AllDirectories).Where(file => !IsKept(file)).ToList();
        gateway.Start();
        Assert.Equal(address, await gateway.ListensAsync("ingress"));
        await gateway.ListensAsync("admin");
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
        for (var i = 0; i < 3; i++)
        {
            Assert.StartsWith("GET /after", await client.GetStringAsync($"http://{address}/after", Cancellation), StringComparison.Ordinal);
        }

        await gateway.Process.SignalAsync("TERM", Cancellation);
        Assert.Equal(ExitCode.Success, await gateway.Process.ExitCodeAsync(Cancellation));

        var lines = await File.ReadAllLinesAsync(gateway.At("access.log"), Cancellation);
        Assert.Single(lines, line => !IsObject(line));
        Assert.Equal(3, lines.Count(line => line.Contains("\"/after\"", StringComparison.Ordinal) && IsObject(line)));

        // Neither process left anything that a third one could trip over: only what is kept of exchanges.
        Assert.Equal(before.Order(), Directory.GetFiles(gateway.At("."), "*", SearchOption.AllDirectories).Where(file => !IsKept(file)).Order());
    }

    private static bool IsKept(string file) => Path.GetDirectoryName(file)!.EndsWith("exchanges", StringComparison.Ordinal);

    private static bool IsObject(string line)
    {
        try
        {
            using var parsed = JsonDocument.Parse(line);
            return parsed.RootElement.ValueKind == JsonValueKind.Object;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
