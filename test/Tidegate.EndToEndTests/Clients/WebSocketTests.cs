using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Clients;

/// <summary>.NET's ClientWebSocket and a server on Kestrel, with the gateway between them.</summary>
public sealed class WebSocketTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string> Ways => ["ingress", "TLS ingress", "base path", "intercepted", "tunnel"];

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Text_and_large_binary_messages_go_both_ways_until_the_client_closes(string way)
    {
        await using var world = await ClientWorld.StartAsync(way == "TLS ingress");
        var (address, upstream) = Way(world, way);
        using var socket = await ConnectAsync(world, way, address);

        Assert.Equal("grüße", Encoding.UTF8.GetString(await EchoAsync(socket, Encoding.UTF8.GetBytes("grüße"), WebSocketMessageType.Text)));
        Assert.Empty(await EchoAsync(socket, [], WebSocketMessageType.Binary));
        var large = RandomNumberGenerator.GetBytes(1_500_001);
        Assert.Equal(large, await EchoAsync(socket, large, WebSocketMessageType.Binary));
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "the client goes", Cancellation);

        Assert.Equal((WebSocketCloseStatus.NormalClosure, "echo: the client goes"), (socket.CloseStatus, socket.CloseStatusDescription));
        Assert.Equal((WebSocketCloseStatus.NormalClosure, "the client goes"), upstream.Closed);
        await RecordedAsync(world, way, large.Length);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_close_by_the_server_reaches_the_client_with_its_reason(string way)
    {
        await using var world = await ClientWorld.StartAsync(way == "TLS ingress");
        var (address, upstream) = Way(world, way);
        using var socket = await ConnectAsync(world, way, address);

        await socket.SendAsync("close"u8.ToArray(), WebSocketMessageType.Text, true, Cancellation);
        var closed = await socket.ReceiveAsync(new byte[100].AsMemory(), Cancellation);
        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "as you like", Cancellation);

        Assert.Equal((WebSocketMessageType.Close, WebSocketCloseStatus.EndpointUnavailable, "the server goes"), (closed.MessageType, socket.CloseStatus!.Value, socket.CloseStatusDescription));
        await RecordedAsync(world, way, 0);
        await Eventually.HoldsAsync(() => upstream.Closed != default, "The service was not told.", Cancellation);
        Assert.Equal((WebSocketCloseStatus.NormalClosure, "as you like"), upstream.Closed);
    }

    [Fact]
    public async Task Over_http2_from_the_client_the_messages_are_the_same()
    {
        await using var world = await ClientWorld.StartAsync(isIngressTls: true);
        using var client = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false, SslOptions = { CertificateChainPolicy = world.Trusted() } });
        using var socket = new ClientWebSocket();
        socket.Options.HttpVersion = HttpVersion.Version20;
        socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        socket.Options.SetRequestHeader("X-Api-Key", ClientWorld.Key);

        await socket.ConnectAsync(new Uri($"wss://localhost:{world.IngressPort}/orders/ws"), client, Cancellation);
        Assert.Equal("hello", Encoding.UTF8.GetString(await EchoAsync(socket, "hello"u8.ToArray(), WebSocketMessageType.Text)));
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Cancellation);

        // To everybody behind the edge it is the upgrade that HTTP/1.1 knows.
        Assert.Equal(("GET", "HTTP/1.1", "websocket"), (world.Cleartext.Received.Single().Method, world.Cleartext.Received.Single().Protocol, world.Cleartext.Received.Single().Field("Upgrade")));
        var record = (await world.RecordsAsync(1))[0];
        Assert.Equal((Outcome.Forwarded, 101, "orders", ProtocolVersion.Http2), (record.Outcome, record.Status, record.Api, record.ClientProtocol));
    }

    [Fact]
    public async Task A_refused_handshake_tells_the_client_its_status()
    {
        await using var world = await ClientWorld.StartAsync();
        using var socket = new ClientWebSocket { Options = { CollectHttpResponseDetails = true } };

        await Assert.ThrowsAsync<WebSocketException>(() => socket.ConnectAsync(new Uri($"ws://localhost:{world.IngressPort}/orders/ws"), Cancellation));

        Assert.Equal(HttpStatusCode.Unauthorized, socket.HttpStatusCode);
        Assert.Equal("credential_missing", (await world.RecordsAsync(1))[0].Code);
        Assert.Empty(world.Cleartext.Received);
    }

    private static (string Address, CapturingUpstream Upstream) Way(ClientWorld world, string way) => way switch
    {
        "ingress" => ($"ws://localhost:{world.IngressPort}/orders/ws", world.Cleartext),
        "TLS ingress" => ($"wss://localhost:{world.IngressPort}/orders/ws", world.Cleartext),
        "base path" => ($"ws://{world.Egress}/plain/ws", world.Cleartext),
        "intercepted" => ("wss://opened.test/ws", world.Tls),
        _ => ($"wss://localhost:{world.Tls.Port}/ws", world.Tls),
    };

    private static bool IsProxied(string way) => way is "intercepted" or "tunnel";

    private static async Task<ClientWebSocket> ConnectAsync(ClientWorld world, string way, string address)
    {
        using var client = new HttpMessageInvoker(new SocketsHttpHandler
        {
            Proxy = IsProxied(way) ? new WebProxy($"http://{world.Egress}") { Credentials = new NetworkCredential("key", ClientWorld.Key) } : null,
            UseProxy = IsProxied(way),
            SslOptions = { CertificateChainPolicy = world.Trusted() },
        });
        var socket = new ClientWebSocket();
        if (!IsProxied(way))
        {
            socket.Options.SetRequestHeader("X-Api-Key", ClientWorld.Key);
        }

        await socket.ConnectAsync(new Uri(address), client, Cancellation);
        return socket;
    }

    private static async Task<byte[]> EchoAsync(ClientWebSocket socket, byte[] message, WebSocketMessageType type)
    {
        var sending = socket.SendAsync(message, type, true, Cancellation);
        using var received = new MemoryStream();
        var buffer = new byte[10_000];
        ValueWebSocketReceiveResult result;
        do
        {
            result = await socket.ReceiveAsync(buffer.AsMemory(), Cancellation);
            Assert.Equal(type, result.MessageType);
            received.Write(buffer, 0, result.Count);
        }
        while (!result.EndOfMessage);
        await sending;
        return received.ToArray();
    }

    private static async Task RecordedAsync(ClientWorld world, string way, int contentBytes)
    {
        var records = await world.RecordsAsync(IsProxied(way) ? 2 : 1);
        var record = records[^1];
        if (way == "tunnel")
        {
            world.RecordedTunnel(record);
        }
        else
        {
            Assert.Equal((Outcome.Forwarded, 101, way switch { "base path" => "plain", "intercepted" => "opened", _ => "orders" }), (record.Outcome, record.Status, record.Api));
            Assert.Equal("billing", record.Consumer.Name);
            Assert.EndsWith("/ws", record.Path, StringComparison.Ordinal);
        }

        Assert.True(record.RequestBytes > contentBytes && record.ResponseBytes > contentBytes, record.ToString());
    }
}
