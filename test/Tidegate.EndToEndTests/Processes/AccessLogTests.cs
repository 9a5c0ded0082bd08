using Tidegate.Host.Commands;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Processes;

/// <summary>An access log that fails while the gateway runs.</summary>
public sealed class AccessLogTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_full_disk_is_counted_and_logged_and_costs_no_traffic()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "A full disk is /dev/full, which this machine does not have.");
        await using var upstream = await EchoUpstream.StartAsync();
        using var gateway = new RunningGateway();
        gateway.Start($$"""
            listeners: { ingress: { address: 127.0.0.1:0 }, admin: { address: 127.0.0.1:0 } }
            apis: [{ name: api, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }]
            recording: { access_log: { path: /dev/full } }
            """);
        var address = await gateway.ListensAsync("ingress");
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };

        Assert.StartsWith("GET /first", await client.GetStringAsync($"http://{address}/first", Cancellation), StringComparison.Ordinal);
        await gateway.Process.LineAsync(line => line.StartsWith("Records do not reach the sink access_log: No space left on device", StringComparison.Ordinal), Cancellation);
        Assert.StartsWith("GET /second", await client.GetStringAsync($"http://{address}/second", Cancellation), StringComparison.Ordinal);

        var metrics = await client.GetStringAsync($"http://{await gateway.ListensAsync("admin")}/metrics", Cancellation);
        Assert.Matches("""(?m)^tidegate_sink_failures_total\{sink="access_log"\} [12]$""", metrics);
        Assert.Contains("tidegate_records_dropped_total 0", metrics, StringComparison.Ordinal);
        await gateway.Process.SignalAsync("TERM", Cancellation);
        Assert.Equal(ExitCode.Success, await gateway.Process.ExitCodeAsync(Cancellation));
    }
}
