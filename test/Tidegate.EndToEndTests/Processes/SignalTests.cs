using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Tidegate.Host.Commands;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Processes;

/// <summary>SIGHUP and SIGTERM to a process that carries load.</summary>
public sealed class SignalTests
{
    private const int Terminated = 128 + 15;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Sighup_under_load_puts_each_file_in_force_and_fails_no_request()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Signals are sent with kill.");
        await using var upstream = await EchoUpstream.StartAsync();
        using var gateway = new RunningGateway();
        gateway.Start(Configuration(upstream.Port));
        await using var callers = new KeepAliveCallers(await gateway.ListensAsync("ingress"), 8, "/", Cancellation);

        const int Reloads = 25;
        for (var version = 2; version <= 1 + Reloads; version++)
        {
            await callers.AnsweredAsync(20);
            await gateway.Process.SignalAsync("HUP", Cancellation);
            await gateway.Process.LineAsync(line => line.Contains($": version {version} is in force.", StringComparison.Ordinal), Cancellation);
        }

        await callers.StopAsync();
        Assert.Empty(callers.Failures);
        Assert.Equal(0, callers.Refused);
        Assert.True(callers.Answered > 20 * Reloads, $"{callers.Answered} requests are no load.");
    }

    [Fact]
    public async Task Sigterm_under_load_answers_every_request_that_was_sent_and_exits_with_0()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Signals are sent with kill.");
        await using var upstream = await EchoUpstream.StartAsync();
        using var gateway = new RunningGateway();
        gateway.Start(Configuration(upstream.Port));
        var address = await gateway.ListensAsync("ingress");
        var admin = await gateway.ListensAsync("admin");
        using var probe = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
        await using var fast = new KeepAliveCallers(address, 16, "/", Cancellation);
        await using var slow = new KeepAliveCallers(address, 8, "/slow", Cancellation);
        await fast.AnsweredAsync(500);
        await slow.AnsweredAsync(8);
        Assert.Equal(HttpStatusCode.OK, (await probe.GetAsync($"http://{admin}/readyz", Cancellation)).StatusCode);

        // One exchange that the test ends when it has seen what it wants to see.
        using var held = await probe.GetAsync($"http://{address}/events", HttpCompletionOption.ResponseHeadersRead, Release(upstream));
        var began = Stopwatch.GetTimestamp();
        await gateway.Process.SignalAsync("TERM", Cancellation);
        await gateway.Process.LineAsync(line => line.StartsWith("Draining", StringComparison.Ordinal), Cancellation);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await probe.GetAsync($"http://{admin}/readyz", Cancellation)).StatusCode);
        await fast.EndedAsync();
        await slow.EndedAsync();
        upstream.NextEvent.Release(2);

        Assert.Equal("data: 1\n\ndata: 2\n\ndata: 3\n\n", await held.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal(ExitCode.Success, await gateway.Process.ExitCodeAsync(Cancellation));
        Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(25), "It waited for the limit.");
        Assert.Empty(fast.Failures);
        Assert.Empty(slow.Failures);
        Assert.Equal((16, 8), (fast.Refused, slow.Refused));
    }

    [Fact]
    public async Task Sigterm_under_http2_load_answers_every_request_that_was_sent()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Signals are sent with kill.");
        await using var upstream = await EchoUpstream.StartAsync();
        using var gateway = new RunningGateway();
        gateway.Start(Configuration(upstream.Port));
        var address = await gateway.ListensAsync("ingress");
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(60), DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        var answered = 0;
        var callers = Enumerable.Range(0, 16).Select(async caller =>
        {
            while (true)
            {
                using var content = new StringContent($"caller {caller}");
                try
                {
                    using var answer = await client.PostAsync($"http://{address}/echo", content, Cancellation);
                    Assert.Equal($"caller {caller}", await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync(Cancellation));
                    Interlocked.Increment(ref answered);
                }
                catch (HttpRequestException refused) when (refused.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionRefused })
                {
                    // Nobody listens any more: this one was not sent.
                    return;
                }
            }
        }).ToArray();
        while (Volatile.Read(ref answered) < 300)
        {
            await Task.Delay(20, Cancellation);
        }

        await gateway.Process.SignalAsync("TERM", Cancellation);

        await Task.WhenAll(callers).WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
        Assert.Equal(ExitCode.Success, await gateway.Process.ExitCodeAsync(Cancellation));
    }

    [Fact]
    public async Task A_second_sigterm_ends_a_drain_at_once()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Signals are sent with kill.");
        await using var upstream = await EchoUpstream.StartAsync();
        using var gateway = new RunningGateway();
        gateway.Start(Configuration(upstream.Port));
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
        using var held = await client.GetAsync($"http://{await gateway.ListensAsync("ingress")}/events", HttpCompletionOption.ResponseHeadersRead, Release(upstream));
        await gateway.Process.SignalAsync("TERM", Cancellation);
        await gateway.Process.LineAsync(line => line.StartsWith("Draining", StringComparison.Ordinal), Cancellation);

        var began = Stopwatch.GetTimestamp();
        await gateway.Process.SignalAsync("TERM", Cancellation);

        Assert.Equal(Terminated, await gateway.Process.ExitCodeAsync(Cancellation));
        Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(20), "It drained to its limit.");
        await Assert.ThrowsAsync<HttpRequestException>(() => held.Content.ReadAsStringAsync(Cancellation));
    }

    private static CancellationToken Release(EchoUpstream upstream)
    {
        upstream.NextEvent.Release();
        return Cancellation;
    }

    private static string Configuration(int upstreamPort) => $$"""
        listeners: { ingress: { address: 127.0.0.1:0 }, admin: { address: 127.0.0.1:0 } }
        apis: [{ name: api, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstreamPort}}"] } }]
        recording: { access_log: { path: access.log } }
        """;
}
