using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Tidegate.Host.Commands;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Processes;

/// <summary>A gateway that keeps answers on disk and is killed again and again while it stores, serves and purges.</summary>
public sealed class DiskCacheKillTests
{
    private const int Rounds = 4;
    private const int Urls = 60;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task After_kill_9_what_was_stored_is_whole_and_what_was_purged_is_gone()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Signals are sent with kill.");
        var version = 0;
        var asked = new ConcurrentDictionary<string, int>();
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is { } head)
            {
                var path = head.Split(' ')[1];
                asked.AddOrUpdate(path, 1, static (_, count) => count + 1);
                var content = Content(path, Volatile.Read(ref version));
                await connection.WriteAsync($"HTTP/1.1 200 OK\r\nCache-Control: max-age=86400\r\nSurrogate-Key: {(path == "/0" ? "changes" : "stays")}\r\nContent-Length: {content.Length}\r\n\r\n{content}");
            }
        });
        using var gateway = new RunningGateway();
        var (ingress, admin) = (TestPorts.Free(), TestPorts.Free());
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
        for (var round = 0; round < Rounds; round++)
        {
            gateway.Start($$"""
                state_directory: state
                cache: { memory: 2MB, disk: { max_size: 256MB } }
                listeners: { ingress: { address: 127.0.0.1:{{ingress}} }, admin: { address: 127.0.0.1:{{admin}} } }
                apis: [{ name: api, direction: ingress, cache: { mode: standard }, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }]
                recording: { access_log: { path: "off" } }
                """);
            var address = await gateway.ListensAsync("ingress");
            await gateway.ListensAsync("admin");

            // What was purged in the moment before the kill is asked for, whatever is on the disk of it.
            Assert.Equal(Content("/0", version), await GetAsync("/0"));

            // What was not is whole: each path has content of its own, and most of it comes from the disk.
            var before = asked.Values.Sum();
            for (var i = 1; i < Urls; i++)
            {
                Assert.True(Content("/" + i, 0) == await GetAsync("/" + i), $"/{i} is not what was stored.");
            }

            var more = asked.Values.Sum() - before;
            Assert.True(round == 0 ? more == Urls - 1 : more < Urls / 2, $"Round {round} asked for {more} of {Urls}.");
            if (round == 0)
            {
                await WrittenAsync();
            }

            // More comes while it dies; it must not be in the way of the rest.
            using var stop = new CancellationTokenSource();
            var busy = Task.Run(() => KeepBusyAsync(round, stop.Token), Cancellation);
            Interlocked.Increment(ref version);
            using var purged = await client.PostAsync($"http://127.0.0.1:{admin}/api/v1/cache/purge", new StringContent("{\"api\":\"api\",\"tag\":\"changes\"}", Encoding.UTF8, "application/json"), Cancellation);
            Assert.Equal(HttpStatusCode.OK, purged.StatusCode);
            await gateway.Process.SignalAsync("KILL", Cancellation);
            await gateway.Process.ExitCodeAsync(Cancellation);
            await stop.CancelAsync();
            await busy;

            Task<string> GetAsync(string path) => client.GetStringAsync($"http://{address}{path}", Cancellation);
        }

        gateway.Start();
        var last = await gateway.ListensAsync("ingress");
        Assert.Equal(Content("/0", version), await client.GetStringAsync($"http://{last}/0", Cancellation));
        await gateway.Process.SignalAsync("TERM", Cancellation);
        Assert.Equal(ExitCode.Success, await gateway.Process.ExitCodeAsync(Cancellation));

        async Task KeepBusyAsync(int round, CancellationToken stopping)
        {
            try
            {
                for (var i = 0; !stopping.IsCancellationRequested; i++)
                {
                    await client.GetStringAsync($"http://127.0.0.1:{ingress}/busy/{round}/{i}", stopping);
                }
            }
            catch (Exception gone) when (gone is HttpRequestException or OperationCanceledException)
            {
                // That is what it is there for.
            }
        }

        async Task WrittenAsync()
        {
            for (var i = 0; i < 3000; i++)
            {
                var metrics = await client.GetStringAsync($"http://127.0.0.1:{admin}/metrics", Cancellation);
                if (metrics.Contains($"tidegate_cache_disk_entries {Urls}", StringComparison.Ordinal))
                {
                    return;
                }

                await Task.Delay(20, Cancellation);
            }

            Assert.Fail("The answers were not written.");
        }
    }

    private static string Content(string path, int version)
    {
        var line = $"{path} {(path == "/0" ? version : 0)} ";
        return string.Concat(Enumerable.Repeat(line, (path.Length % 3 == 0 ? 500_000 : 20_000) / line.Length));
    }
}
