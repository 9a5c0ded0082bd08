using System.Net.WebSockets;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>Long answers, event streams and sockets: nothing is held back, and either side's end reaches the other.</summary>
public sealed class StreamingTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Each_event_leaves_as_it_arrives(string version)
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Http2Tests.Ingress(upstream.Port), Cancellation);
        using var client = Client(version);
        upstream.NextEvent.Release();

        await using var events = await client.GetStreamAsync($"http://{gateway["ingress"]}/events", Cancellation);
        using var reader = new StreamReader(events);
        for (var i = 1; i <= 3; i++)
        {
            // The next event is made only after this one was read: a gateway that holds anything back never gets there.
            Assert.Equal($"data: {i}", await reader.ReadLineAsync(Cancellation));
            Assert.Equal("", await reader.ReadLineAsync(Cancellation));
            upstream.NextEvent.Release();
        }

        Assert.Null(await reader.ReadLineAsync(Cancellation));
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_client_that_leaves_cancels_the_upstream_and_is_recorded(string version)
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Http2Tests.Ingress(upstream.Port), Cancellation);
        using (var client = Client(version))
        {
            upstream.NextEvent.Release();
            await using var events = await client.GetStreamAsync($"http://{gateway["ingress"]}/events", Cancellation);
            await events.ReadExactlyAsync(new byte[4], Cancellation);
        }

        Assert.True(await upstream.ClientGone.WaitAsync(TimeSpan.FromSeconds(60), Cancellation), "The upstream still answers.");
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal((Outcome.Failed, "client_aborted"), (record.Outcome, record.Code));
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Sixty_four_megabytes_arrive_whole(string version)
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Http2Tests.Ingress(upstream.Port), Cancellation);
        using var client = Client(version);

        await using var answer = await client.GetStreamAsync($"http://{gateway["ingress"]}/large", Cancellation);
        var buffer = new byte[64 * 1024];
        long total = 0;
        while (await answer.ReadAsync(buffer, Cancellation) is > 0 and var read)
        {
            total += read;
        }

        Assert.Equal(64L * 1024 * 1024, total);
        Assert.Equal(total, (await gateway.RecordsAsync(1, Cancellation))[0].ResponseBytes);
    }

    [Fact]
    public async Task A_web_socket_echoes_and_closes()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Http2Tests.Ingress(upstream.Port), Cancellation);
        using var socket = new ClientWebSocket();

        await socket.ConnectAsync(new Uri($"ws://{gateway["ingress"]}/ws"), Cancellation);
        var buffer = new byte[100];
        for (var i = 0; i < 10; i++)
        {
            await socket.SendAsync(Encoding.UTF8.GetBytes($"message {i}"), WebSocketMessageType.Text, endOfMessage: true, Cancellation);
            var received = await socket.ReceiveAsync(buffer, Cancellation);
            Assert.Equal($"message {i}", Encoding.UTF8.GetString(buffer, 0, received.Count));
        }

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", Cancellation);
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal((Outcome.Forwarded, 101), (record.Outcome, record.Status));
    }

    private static HttpClient Client(string version) => new()
    {
        Timeout = TimeSpan.FromSeconds(60),
        DefaultRequestVersion = Version.Parse(version),
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };
}
