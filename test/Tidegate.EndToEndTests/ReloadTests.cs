using System.Net;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>Changing the configuration of a gateway that carries traffic, and stopping it.</summary>
public sealed class ReloadTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Reloading_under_load_fails_no_request()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Http2Tests.Ingress(upstream.Port), Cancellation);
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var answered = 0;
        var callers = Enumerable.Range(0, 8).Select(async _ =>
        {
            while (!enough.IsCancellationRequested)
            {
                Assert.Equal(HttpStatusCode.OK, (await client.GetAsync($"http://{gateway["ingress"]}/", Cancellation)).StatusCode);
                Interlocked.Increment(ref answered);
            }
        }).ToArray();

        for (var i = 0; i < 50; i++)
        {
            Assert.Empty(gateway.Reload(Http2Tests.Ingress(upstream.Port, more: $"limits: {{ header_count: {50 + i} }}")));
            await Task.Delay(10, Cancellation);
        }

        // However slow the machine is, there is load before the last and after.
        await Eventually.HoldsAsync(() => Volatile.Read(ref answered) > 50, "That is no load.", Cancellation);
        await enough.CancelAsync();
        await Task.WhenAll(callers);
        Assert.True(answered > 50, $"{answered} requests are no load.");
    }

    [Fact]
    public async Task A_bad_file_leaves_the_old_configuration_serving_and_a_good_one_replaces_it()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Http2Tests.Ingress(upstream.Port), Cancellation);
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };

        Assert.NotEmpty(gateway.Reload("apis: [{ nam: x }]"));
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync($"http://{gateway["ingress"]}/", Cancellation)).StatusCode);

        Assert.Empty(gateway.Reload(Http2Tests.Ingress(upstream.Port).Replace("direction: ingress,", "direction: ingress, path: /only,", StringComparison.Ordinal)));
        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync($"http://{gateway["ingress"]}/", Cancellation)).StatusCode);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Draining_lets_exchanges_in_flight_finish(string version)
    {
        const int Calls = 20;
        var arrived = 0;
        var isDraining = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is not null)
            {
                Interlocked.Increment(ref arrived);
                await isDraining.Task;
                await connection.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow");
            }
        });
        await using var gateway = await TestGateway.StartAsync(Http2Tests.Ingress(upstream.Port), Cancellation);
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(60), DefaultRequestVersion = Version.Parse(version), DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        var calls = Enumerable.Range(0, Calls).Select(_ => client.GetStringAsync($"http://{gateway["ingress"]}/slow", Cancellation)).ToArray();
        await Eventually.HoldsAsync(() => Volatile.Read(ref arrived) == Calls, "Not every call came to the upstream.", Cancellation);

        var draining = gateway.DrainAsync(TimeSpan.FromSeconds(60));
        isDraining.SetResult();
        await draining;

        Assert.All(await Task.WhenAll(calls), answer => Assert.Equal("slow", answer));
        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetStringAsync($"http://{gateway["ingress"]}/", Cancellation));
    }
}
