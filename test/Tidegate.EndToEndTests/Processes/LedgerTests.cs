using System.Net;
using Tidegate.Host.Commands;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Processes;

/// <summary>A quota is not given twice, however the process that counted it ended.</summary>
public sealed class LedgerTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("TERM")]
    [InlineData("KILL")]
    public async Task The_next_process_goes_on_with_what_was_counted(string signal)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Signals are sent with kill.");
        await using var upstream = await EchoUpstream.StartAsync();
        using var gateway = new RunningGateway();
        var (ingress, admin) = (RunningGateway.FreePort(), RunningGateway.FreePort());
        gateway.Start($$"""
            state_directory: state
            listeners: { ingress: { address: 127.0.0.1:{{ingress}} }, admin: { address: 127.0.0.1:{{admin}} } }
            apis: [{ name: api, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] }, limits: [{ quota: 5/week, per: consumer }, { rate: 100/h }] }]
            recording: { access_log: { path: off } }
            """);
        var address = await gateway.ListensAsync("ingress");
        Assert.Equal("200 200 200", await StatusesAsync(3));

        // Longer than the second after which counts are saved.
        await Task.Delay(signal == "KILL" ? 2_500 : 0, Cancellation);
        await gateway.Process.SignalAsync(signal, Cancellation);
        Assert.Equal(signal == "KILL" ? 128 + 9 : ExitCode.Success, await gateway.Process.ExitCodeAsync(Cancellation));
        gateway.Start();
        await gateway.ListensAsync("ingress");

        Assert.Equal("200 200 429", await StatusesAsync(3));

        async Task<string> StatusesAsync(int count)
        {
            var statuses = new List<HttpStatusCode>();
            for (var i = 0; i < count; i++)
            {
                using var fresh = new HttpClient { Timeout = TimeSpan.FromSeconds(20) };
                statuses.Add((await fresh.GetAsync($"http://{address}/", Cancellation)).StatusCode);
            }

            return string.Join(" ", statuses.Select(status => (int)status));
        }
    }
}
