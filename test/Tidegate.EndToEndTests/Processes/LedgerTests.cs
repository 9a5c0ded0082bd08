using System.Net;
using Microsoft.Data.Sqlite;
using Tidegate.Control.Ledger;
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
        var (ingress, admin) = (TestPorts.Free(), TestPorts.Free());
        gateway.Start($$"""
            state_directory: state
            listeners: { ingress: { address: 127.0.0.1:{{ingress}} }, admin: { address: 127.0.0.1:{{admin}} } }
            apis: [{ name: api, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] }, limits: [{ quota: 5/week, per: consumer }, { rate: 100/h }] }]
            recording: { access_log: { path: off } }
            """);
        var address = await gateway.ListensAsync("ingress");
        Assert.Equal("200 200 200", await StatusesAsync(3));

        if (signal == "KILL")
        {
            // They are saved each second.
            await Eventually.HoldsAsync(() => SavedAsync(gateway.At(Path.Combine("state", LimitLedger.FileName))), "The counts were not saved.", Cancellation);
        }

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
                using var fresh = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
                statuses.Add((await fresh.GetAsync($"http://{address}/", Cancellation)).StatusCode);
            }

            return string.Join(" ", statuses.Select(status => (int)status));
        }
    }

    [Fact]
    public async Task A_quota_that_a_reload_brings_outlives_the_process_too()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Signals are sent with kill.");
        await using var upstream = await EchoUpstream.StartAsync();
        using var gateway = new RunningGateway();
        var address = await ReloadIntoAsync(gateway, upstream.Port);
        Assert.Equal([200, 200, 200], await StatusesAsync(address, 3));

        await gateway.Process.SignalAsync("TERM", Cancellation);
        Assert.Equal(ExitCode.Success, await gateway.Process.ExitCodeAsync(Cancellation));
        gateway.Start();
        await gateway.ListensAsync("ingress");
        Assert.Equal([200, 200, 429], await StatusesAsync(address, 3));
    }

    [Fact]
    public async Task A_quota_that_a_reload_brings_and_nothing_can_keep_is_denied_where_it_says_so()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Signals are sent with kill.");
        await using var upstream = await EchoUpstream.StartAsync();
        using var gateway = new RunningGateway();

        // A directory where the file belongs.
        var address = await ReloadIntoAsync(gateway, upstream.Port, () => Directory.CreateDirectory(gateway.At(Path.Combine("state", LimitLedger.FileName))));
        await gateway.Process.LineAsync(line => line.Contains("cannot be used", StringComparison.Ordinal), Cancellation);
        Assert.Equal([503], await StatusesAsync(address, 1));

        Directory.Delete(gateway.At(Path.Combine("state", LimitLedger.FileName)));
        await gateway.Process.LineAsync(line => line.Contains("counts are saved again", StringComparison.Ordinal), Cancellation);
        Assert.Equal([200], await StatusesAsync(address, 1));
    }

    private static async Task<IPEndPoint> ReloadIntoAsync(RunningGateway gateway, int upstream, Action? before = null)
    {
        var (ingress, admin) = (TestPorts.Free(), TestPorts.Free());
        gateway.Start(Yaml("{ rate: 1000/s }"));
        var address = await gateway.ListensAsync("ingress");
        before?.Invoke();
        await File.WriteAllTextAsync(gateway.File, Yaml("{ quota: 5/week, on_error: deny }"), Cancellation);
        await gateway.Process.LineAsync(line => line.StartsWith("Reloaded ", StringComparison.Ordinal), Cancellation);
        return address;

        string Yaml(string limit) => $$"""
            state_directory: state
            listeners: { ingress: { address: 127.0.0.1:{{ingress}} }, admin: { address: 127.0.0.1:{{admin}} } }
            apis: [{ name: api, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstream}}"] }, limits: [{{limit}}] }]
            recording: { access_log: { path: off } }
            """;
    }

    private static async Task<List<int>> StatusesAsync(IPEndPoint address, int count)
    {
        var statuses = new List<int>();
        for (var i = 0; i < count; i++)
        {
            using var fresh = new HttpClient { Timeout = TimeSpan.FromSeconds(20) };
            using var answer = await fresh.GetAsync($"http://{address}/", Cancellation);
            statuses.Add((int)answer.StatusCode);
        }

        return statuses;
    }

    /// <summary>Three were counted by each limit.</summary>
    private static async Task<bool> SavedAsync(string path)
    {
        await using var database = new SqliteConnection($"Data Source={path};Pooling=False");
        await database.OpenAsync(Cancellation);
        await using var command = database.CreateCommand();
        command.CommandText = "SELECT MIN(total) FROM (SELECT SUM(count) AS total FROM limit_counts GROUP BY key)";
        return await command.ExecuteScalarAsync(Cancellation) is 3L;
    }
}
