using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>HTTP/2 from clients: with prior knowledge and over TLS, to upstreams of both versions.</summary>
public sealed class Http2Tests : IDisposable
{
    private readonly TestCertificates _certificates = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Prior_knowledge_and_http1_share_one_port()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port), Cancellation);
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
        var address = $"http://{gateway["ingress"]}/a%20b?q=1";

        using var second = await client.SendAsync(Request(address, HttpVersion.Version20), Cancellation);
        using var first = await client.SendAsync(Request(address, HttpVersion.Version11), Cancellation);

        Assert.Equal(HttpVersion.Version20, second.Version);
        Assert.StartsWith("GET /a%20b?q=1 HTTP/1.1", await second.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        Assert.Equal(HttpVersion.Version11, first.Version);
        var records = await gateway.RecordsAsync(2, Cancellation);
        Assert.Equal([ProtocolVersion.Http2, ProtocolVersion.Http11], records.Select(record => record.ClientProtocol));
    }

    [Fact]
    public async Task Alpn_chooses_over_tls_and_sni_chooses_the_certificate()
    {
        using var a = _certificates.Create("a", "a.test");
        using var b = _certificates.Create("b", "b.test");
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port, $"tls: [{{ certificate: {_certificates.Directory}/a.pem, key: {_certificates.Directory}/a.key }}, {{ certificate: {_certificates.Directory}/b.pem, key: {_certificates.Directory}/b.key }}]"), Cancellation);
        string? served = null;
        using var client = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = { RemoteCertificateValidationCallback = (_, certificate, _, _) => (served = certificate!.Subject) is not null },
            ConnectCallback = (_, cancellationToken) => ConnectAsync(gateway["ingress"], cancellationToken),
        });

        using var answer = await client.SendAsync(Request("https://b.test/x", HttpVersion.Version20), Cancellation);

        Assert.Equal((HttpVersion.Version20, "CN=b.test"), (answer.Version, served));
        Assert.Contains("host=b.test", await answer.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        using var old = await client.SendAsync(Request("https://a.test/x", HttpVersion.Version11), Cancellation);
        Assert.Equal((HttpVersion.Version11, "CN=a.test"), (old.Version, served));
    }

    [Theory]
    [InlineData(HttpProtocols.Http1, "auto")]
    [InlineData(HttpProtocols.Http2, "http2")]
    public async Task Content_reaches_the_upstream_whole_whatever_it_speaks(HttpProtocols protocols, string protocol)
    {
        await using var upstream = await EchoUpstream.StartAsync(protocols: protocols);
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port, protocol: protocol), Cancellation);
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
        var content = Enumerable.Range(0, 3_000_000).Select(i => (byte)(i * 7)).ToArray();

        using var echo = Request($"http://{gateway["ingress"]}/hash", HttpVersion.Version20);
        echo.Method = HttpMethod.Post;
        echo.Content = new ByteArrayContent(content);
        using var echoed = await client.SendAsync(echo, Cancellation);

        Assert.Equal(Convert.ToHexString(SHA256.HashData(content)), await echoed.Content.ReadAsStringAsync(Cancellation));
    }

    [Fact]
    public async Task Trailers_of_an_answer_arrive()
    {
        await using var upstream = await EchoUpstream.StartAsync(protocols: HttpProtocols.Http2);
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port, protocol: "http2"), Cancellation);
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };

        using var trailers = await client.SendAsync(Request($"http://{gateway["ingress"]}/trailers", HttpVersion.Version20), Cancellation);

        Assert.Equal("content", await trailers.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal("42", trailers.TrailingHeaders.GetValues("X-Checksum").Single());
    }

    [Theory]
    [InlineData("connection", "close")]
    [InlineData("keep-alive", "5")]
    [InlineData("transfer-encoding", "chunked")]
    [InlineData("upgrade", "websocket")]
    [InlineData("te", "gzip")]
    [InlineData("na me", "x")]
    [InlineData("na:me", "x")]
    [InlineData("x", "a\rb")]
    [InlineData("x", "a\nb")]
    [InlineData("x\r\n", "a")]
    public async Task What_rfc_9113_calls_malformed_never_reaches_the_upstream(string name, string value)
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port), Cancellation);

        var answer = await RawHttp2.GetAsync(gateway["ingress"], "/", [(name, value)], Cancellation);

        Assert.True(answer is "400" or "RST_STREAM" or "GOAWAY", answer);
        Assert.Equal("200", await RawHttp2.GetAsync(gateway["ingress"], "/", [("te", "trailers"), ("cookie", "a=1"), ("cookie", "b=2")], Cancellation));
        var records = await gateway.RecordsAsync(answer == "400" ? 2 : 1, Cancellation);
        Assert.Single(records, record => record.Outcome == Outcome.Forwarded);
        Assert.All(records, record => Assert.True(record.Outcome is Outcome.Forwarded or Outcome.Rejected, record.Code));
    }

    [Fact]
    public async Task A_web_socket_over_http2_reaches_an_http1_upstream()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port), Cancellation);
        using var socket = new ClientWebSocket { Options = { HttpVersion = HttpVersion.Version20, HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact } };
        using var invoker = new HttpMessageInvoker(new SocketsHttpHandler());

        await socket.ConnectAsync(new Uri($"ws://{gateway["ingress"]}/ws"), invoker, Cancellation);
        await socket.SendAsync("hello"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, Cancellation);
        var buffer = new byte[100];
        var received = await socket.ReceiveAsync(buffer, Cancellation);

        Assert.Equal("hello", Encoding.UTF8.GetString(buffer, 0, received.Count));
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", Cancellation);
    }

    [Fact]
    public async Task A_destination_that_is_down_is_a_problem_reply_over_http2_too()
    {
        await using var gateway = await TestGateway.StartAsync(Ingress(1), Cancellation);
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };

        using var answer = await client.SendAsync(Request($"http://{gateway["ingress"]}/", HttpVersion.Version20), Cancellation);

        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Contains("connect_failed", await answer.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
    }

    public void Dispose() => _certificates.Dispose();

    internal static string Ingress(int upstreamPort, string more = "", string protocol = "auto") => $$"""
        listeners: { ingress: { address: 127.0.0.1:0, {{more}} } }
        apis:
          - { name: orders, direction: ingress, upstream: { destinations: [http://127.0.0.1:{{upstreamPort}}], protocol: {{protocol}} } }
        """;

    private static HttpRequestMessage Request(string address, Version version) =>
        new(HttpMethod.Get, address) { Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact };

    private static async ValueTask<Stream> ConnectAsync(IPEndPoint endPoint, CancellationToken cancellationToken)
    {
        var socket = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
        await socket.ConnectAsync(endPoint, cancellationToken);
        return new System.Net.Sockets.NetworkStream(socket, ownsSocket: true);
    }
}
