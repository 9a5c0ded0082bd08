using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Text;
using Tidegate.Exchanges;
using Xunit;

namespace Tidegate.EndToEndTests.Clients;

/// <summary>.NET's HttpClient.</summary>
public sealed class HttpClientTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_proxy_with_credentials_gets_the_absolute_form()
    {
        await using var world = await ClientWorld.StartAsync();
        using var client = Client(world, throughProxy: true);

        Assert.Equal("answer to /v1/x?q=1", await client.GetStringAsync("http://plain.test/v1/x?q=1", Cancellation));

        ClientWorld.Arrived(world.Cleartext, "GET", "/v1/x?q=1", "plain.test", ClientWorld.ProviderKey);
        var records = await world.RecordsAsync(2);
        Assert.Equal("credential_missing", records[0].Code);
        ClientWorld.Recorded(records[1], Direction.Egress, "plain", "http://plain.test/v1/x", ProtocolVersion.Http11);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Https_through_the_proxy_is_intercepted(string version)
    {
        await using var world = await ClientWorld.StartAsync();
        using var client = Client(world, throughProxy: true, version);

        Assert.Equal("answer to /v1/x?q=1", await client.GetStringAsync("https://opened.test/v1/x?q=1", Cancellation));

        ClientWorld.Arrived(world.Tls, "GET", "/v1/x?q=1", "opened.test", ClientWorld.ProviderKey);
        var records = await world.RecordsAsync(2);
        Assert.Equal("credential_missing", records[0].Code);
        ClientWorld.Recorded(records[1], Direction.Egress, "opened", "https://opened.test/v1/x", version == "2.0" ? ProtocolVersion.Http2 : ProtocolVersion.Http11);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Https_through_the_proxy_is_a_tunnel_to_the_upstreams_own_certificate(string version)
    {
        await using var world = await ClientWorld.StartAsync();
        using (var client = Client(world, throughProxy: true, version))
        {
            Assert.Equal("answer to /inside", await client.GetStringAsync($"https://localhost:{world.Tls.Port}/inside", Cancellation));
        }

        Assert.Equal(version == "2.0" ? "HTTP/2" : "HTTP/1.1", ClientWorld.Arrived(world.Tls, "GET", "/inside", $"localhost:{world.Tls.Port}").Protocol);
        var records = await world.RecordsAsync(2);
        Assert.Equal("credential_missing", records[0].Code);
        world.RecordedTunnel(records[1]);
    }

    [Fact]
    public async Task A_base_address_needs_no_proxy_settings()
    {
        await using var world = await ClientWorld.StartAsync();
        using var client = Client(world, throughProxy: false);
        client.BaseAddress = new Uri($"http://{world.Egress}/opened/");

        Assert.Equal("answer to /v1/x?q=1", await client.GetStringAsync("v1/x?q=1", Cancellation));

        ClientWorld.Arrived(world.Tls, "GET", "/v1/x?q=1", "opened.test", ClientWorld.ProviderKey);
        ClientWorld.Recorded((await world.RecordsAsync(1))[0], Direction.Egress, "opened", "https://opened.test/v1/x", ProtocolVersion.Http11);
    }

    [Theory]
    [InlineData("ingress", "1.1")]
    [InlineData("ingress", "2.0")]
    [InlineData("TLS ingress", "2.0")]
    [InlineData("absolute form", "1.1")]
    [InlineData("base path", "2.0")]
    [InlineData("intercepted", "1.1")]
    [InlineData("intercepted", "2.0")]
    public async Task Each_part_of_an_answer_arrives_before_the_next_is_sent(string way, string version)
    {
        await using var world = await ClientWorld.StartAsync(way == "TLS ingress");
        var (client, address, upstream, api) = Way(world, way, version);
        using var closed = client;

        upstream.NextPart.Release();
        using var answer = await client.GetAsync(address + "/parts", HttpCompletionOption.ResponseHeadersRead, Cancellation);
        using var parts = new StreamReader(await answer.Content.ReadAsStreamAsync(Cancellation));
        for (var i = 1; i <= 3; i++)
        {
            Assert.Equal($"part {i}", await parts.ReadLineAsync(Cancellation));
            upstream.NextPart.Release();
        }

        Assert.Null(await parts.ReadLineAsync(Cancellation));
        Assert.Equal(version, answer.Version.ToString());
        var record = (await world.RecordsAsync(IsAskedFirst(way) ? 2 : 1))[^1];
        Assert.Equal((Outcome.Forwarded, 200, api, 21), (record.Outcome, record.Status, record.Api, record.ResponseBytes));
    }

    [Theory]
    [InlineData("ingress", "1.1")]
    [InlineData("ingress", "2.0")]
    [InlineData("TLS ingress", "2.0")]
    [InlineData("absolute form", "1.1")]
    [InlineData("base path", "2.0")]
    [InlineData("intercepted", "1.1")]
    [InlineData("intercepted", "2.0")]
    public async Task A_content_of_unknown_length_arrives_whole(string way, string version)
    {
        await using var world = await ClientWorld.StartAsync(way == "TLS ingress");
        var (client, address, upstream, api) = Way(world, way, version);
        using var closed = client;
        var content = RandomNumberGenerator.GetBytes(2_000_003);

        using var body = new StreamContent(new Pieces(content));
        using var answer = await client.PostAsync(address, body, Cancellation);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var arrived = Assert.Single(upstream.Received);
        Assert.Equal(("POST", content.Length, Convert.ToHexString(SHA256.HashData(content))), (arrived.Method, arrived.ContentBytes, arrived.ContentHash));
        var record = (await world.RecordsAsync(IsAskedFirst(way) ? 2 : 1))[^1];
        Assert.Equal((Outcome.Forwarded, 200, api, content.Length), (record.Outcome, record.Status, record.Api, record.RequestBytes));
    }

    // HttpClient sends its key with CONNECT only once it was asked for it.
    private static bool IsAskedFirst(string way) => way == "intercepted";

    private static (HttpClient Client, string Address, CapturingUpstream Upstream, string Api) Way(ClientWorld world, string way, string version) => way switch
    {
        "ingress" => (Client(world, false, version), $"http://localhost:{world.IngressPort}/orders", world.Cleartext, "orders"),
        "TLS ingress" => (Client(world, false, version), $"https://localhost:{world.IngressPort}/orders", world.Cleartext, "orders"),
        "base path" => (Client(world, false, version), $"http://{world.Egress}/plain/orders", world.Cleartext, "plain"),
        "absolute form" => (WithKey(Client(world, true, version)), "http://plain.test/orders", world.Cleartext, "plain"),
        _ => (Client(world, true, version), "https://opened.test/orders", world.Tls, "opened"),
    };

    private static HttpClient Client(ClientWorld world, bool throughProxy, string version = "1.1")
    {
        var client = new HttpClient(new SocketsHttpHandler
        {
            Proxy = throughProxy ? new WebProxy($"http://{world.Egress}") { Credentials = new NetworkCredential("key", ClientWorld.Key) } : null,
            UseProxy = throughProxy,
            SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = world.Trusted() },
        })
        {
            DefaultRequestVersion = Version.Parse(version),
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = TimeSpan.FromSeconds(60),
        };
        if (!throughProxy)
        {
            client.DefaultRequestHeaders.Add("X-Api-Key", ClientWorld.Key);
        }

        return client;
    }

    // Where the key is asked for with every request, a content that can be sent only once needs it from the start.
    private static HttpClient WithKey(HttpClient client)
    {
        client.DefaultRequestHeaders.ProxyAuthorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.ASCII.GetBytes("key:" + ClientWorld.Key)));
        return client;
    }

    /// <summary>Gives a content out in pieces, and does not tell its length.</summary>
    private sealed class Pieces(byte[] content) : Stream
    {
        private int _given;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            var piece = Math.Min(Math.Min(count, 7_001), content.Length - _given);
            Array.Copy(content, _given, buffer, offset, piece);
            _given += piece;
            return piece;
        }

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
