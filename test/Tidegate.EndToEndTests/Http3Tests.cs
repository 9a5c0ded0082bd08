using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Tidegate.Edge.Multiplexed;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>HTTP/3 from clients, with the platform's own client and with one that sends what no library would.</summary>
[SupportedOSPlatform("linux"), SupportedOSPlatform("macos"), SupportedOSPlatform("windows")]
public sealed class Http3Tests : IDisposable
{
    private readonly TestCertificates _certificates = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public Http3Tests()
    {
        SkipWithoutQuic();
        _certificates.Create("a", "a.test").Dispose();
        _certificates.Create("b", "b.test").Dispose();
    }

    [Theory]
    [InlineData(HttpProtocols.Http1, "auto")]
    [InlineData(HttpProtocols.Http2, "http2")]
    public async Task A_get_and_a_post_reach_an_upstream_of_either_version(HttpProtocols protocols, string protocol)
    {
        await using var upstream = await EchoUpstream.StartAsync(protocols: protocols);
        await using var gateway = await StartAsync(upstream.Port, protocol: protocol);
        using var client = Client(HttpVersion.Version30);

        using var answer = await client.GetAsync(Address(gateway, "/a%20b?q=1"), Cancellation);
        using var posted = await client.PostAsync(Address(gateway, "/echo"), new StringContent("hello"), Cancellation);

        Assert.Equal(HttpVersion.Version30, answer.Version);
        Assert.StartsWith("GET /a%20b?q=1 HTTP/", await answer.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        Assert.Equal("hello", await posted.Content.ReadAsStringAsync(Cancellation));
        var records = await gateway.RecordsAsync(2, Cancellation);
        Assert.All(records, record => Assert.Equal((ProtocolVersion.Http3, Outcome.Forwarded, 200), (record.ClientProtocol, record.Outcome, record.Status)));
    }

    [Fact]
    public async Task Sixteen_megabytes_arrive_whole_in_both_directions_at_once()
    {
        await using var upstream = await EchoUpstream.StartAsync(protocols: HttpProtocols.Http2);
        await using var gateway = await StartAsync(upstream.Port, protocol: "http2");
        using var client = Client(HttpVersion.Version30);
        var content = Enumerable.Range(0, 16 * 1024 * 1024).Select(i => (byte)(i * 7 + (i >> 9))).ToArray();

        using var answer = await client.PostAsync(Address(gateway, "/echo"), new DuplexContent(content), Cancellation);
        var echoed = await answer.Content.ReadAsByteArrayAsync(Cancellation);

        Assert.Equal(SHA256.HashData(content), SHA256.HashData(echoed));
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal((content.Length, content.Length), (record.RequestBytes, record.ResponseBytes));
    }

    [Fact]
    public async Task Each_event_leaves_as_it_arrives()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port);
        using var client = Client(HttpVersion.Version30);
        upstream.NextEvent.Release();

        await using var events = await client.GetStreamAsync(Address(gateway, "/events"), Cancellation);
        using var reader = new StreamReader(events);
        for (var i = 1; i <= 3; i++)
        {
            Assert.Equal($"data: {i}", await reader.ReadLineAsync(Cancellation));
            Assert.Equal("", await reader.ReadLineAsync(Cancellation));
            upstream.NextEvent.Release();
        }

        Assert.Null(await reader.ReadLineAsync(Cancellation));
    }

    [Fact]
    public async Task A_client_that_leaves_one_stream_cancels_its_upstream_and_keeps_the_connection()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port);
        using var client = Client(HttpVersion.Version30);
        upstream.NextEvent.Release();
        await using (var events = await client.GetStreamAsync(Address(gateway, "/events"), Cancellation))
        {
            await events.ReadExactlyAsync(new byte[4], Cancellation);
        }

        Assert.True(await upstream.ClientGone.WaitAsync(TimeSpan.FromSeconds(60), Cancellation), "The upstream still answers.");
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(Address(gateway, "/"), Cancellation)).StatusCode);
        var record = (await gateway.RecordsAsync(2, Cancellation))[0];
        Assert.Equal((Outcome.Failed, "client_aborted"), (record.Outcome, record.Code));
    }

    [Fact]
    public async Task Trailers_of_an_answer_arrive()
    {
        await using var upstream = await EchoUpstream.StartAsync(protocols: HttpProtocols.Http2);
        await using var gateway = await StartAsync(upstream.Port, protocol: "http2");
        using var client = Client(HttpVersion.Version30);

        using var answer = await client.GetAsync(Address(gateway, "/trailers"), Cancellation);

        Assert.Equal("content", await answer.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal("42", answer.TrailingHeaders.GetValues("X-Checksum").Single());
    }

    [Fact]
    public async Task A_refusal_is_one_problem_and_one_record()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port, api: "authenticate: [api_key],");
        using var client = Client(HttpVersion.Version30);

        using var answer = await client.PostAsync(Address(gateway, "/echo"), new StringContent(new string('x', 100_000)), Cancellation);

        Assert.Equal((HttpStatusCode.Unauthorized, "application/problem+json"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
        var record = (await gateway.RecordsAsync(1, Cancellation)).Single();
        Assert.Equal((ProtocolVersion.Http3, Outcome.Rejected, 401), (record.ClientProtocol, record.Outcome, record.Status));
        Assert.Contains(record.Code!, await answer.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_breaks_is_never_completed()
    {
        using var upstream = new TcpListener(IPAddress.Loopback, 0);
        upstream.Start();
        await using var gateway = await StartAsync(((IPEndPoint)upstream.LocalEndpoint).Port);
        using var client = Client(HttpVersion.Version30);

        var call = client.GetByteArrayAsync(Address(gateway, "/"), Cancellation);
        using (var accepted = await upstream.AcceptTcpClientAsync(Cancellation))
        {
            await accepted.GetStream().ReadAtLeastAsync(new byte[4096], 1, cancellationToken: Cancellation);
            await accepted.GetStream().WriteAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"u8.ToArray(), Cancellation);
        }

        await Assert.ThrowsAsync<HttpRequestException>(() => call);
        Assert.Equal(Outcome.Failed, (await gateway.RecordsAsync(1, Cancellation))[0].Outcome);
    }

    [Fact]
    public async Task The_tcp_side_says_where_http3_is_and_http3_itself_does_not()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port);
        using var first = Client(HttpVersion.Version11);
        using var second = Client(HttpVersion.Version20);
        using var third = Client(HttpVersion.Version30);
        var expected = $"h3=\":{gateway["ingress"].Port}\"; ma=3600";

        Assert.Equal([expected], await AlternativeServiceAsync(first, Address(gateway, "/")));
        Assert.Equal([expected], await AlternativeServiceAsync(second, Address(gateway, "/")));
        Assert.Empty(await AlternativeServiceAsync(third, Address(gateway, "/")));

        // An upstream's own is about the upstream's ports.
        Assert.Equal([expected], await AlternativeServiceAsync(second, Address(gateway, "/alt-svc")));
        Assert.Empty(await AlternativeServiceAsync(third, Address(gateway, "/alt-svc")));
    }

    [Fact]
    public async Task Turned_off_it_neither_listens_nor_is_advertised()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port, http3: "off");
        using var second = Client(HttpVersion.Version20);
        using var third = Client(HttpVersion.Version30);

        Assert.Empty(await AlternativeServiceAsync(second, Address(gateway, "/")));
        await Assert.ThrowsAsync<HttpRequestException>(() => third.GetAsync(Address(gateway, "/"), Cancellation));
    }

    [Fact]
    public async Task The_advertised_port_can_be_another()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port, http3: "auto, http3_advertised_port: 443");
        using var second = Client(HttpVersion.Version20);

        Assert.Equal(["h3=\":443\"; ma=3600"], await AlternativeServiceAsync(second, Address(gateway, "/")));
    }

    [Fact]
    public async Task Sni_chooses_the_certificate_and_a_reload_replaces_it_for_new_connections()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port);
        await using var old = await RawHttp3.ConnectAsync(gateway["ingress"], "b.test", Cancellation);
        await using var other = await RawHttp3.ConnectAsync(gateway["ingress"], "a.test", Cancellation);
        Assert.Equal(("CN=b.test", "CN=a.test"), (old.ServedSubject, other.ServedSubject));

        _certificates.Create("b", "c.test").Dispose();
        Assert.Empty(gateway.Reload(Configuration(upstream.Port)));

        await using var fresh = await RawHttp3.ConnectAsync(gateway["ingress"], "c.test", Cancellation);
        Assert.Equal("CN=c.test", fresh.ServedSubject);
        Assert.Equal("200", await old.GetAsync("/", [], Cancellation));
    }

    [Fact]
    public async Task Draining_lets_an_exchange_in_flight_finish()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port);
        using var client = Client(HttpVersion.Version30);
        upstream.NextEvent.Release();
        using var events = new StreamReader(await client.GetStreamAsync(Address(gateway, "/events"), Cancellation));
        Assert.Equal("data: 1", await events.ReadLineAsync(Cancellation));

        var drained = gateway.DrainAsync(TimeSpan.FromSeconds(60));
        upstream.NextEvent.Release(2);

        Assert.Equal("\ndata: 2\n\ndata: 3\n\n", await events.ReadToEndAsync(Cancellation));
        await drained;
        Assert.Equal(Outcome.Forwarded, (await gateway.RecordsAsync(1, Cancellation))[0].Outcome);
        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetStringAsync(Address(gateway, "/"), Cancellation));
    }

    [Fact]
    public async Task Draining_does_not_wait_for_a_client_that_stays_connected()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port);
        await using var busy = await RawHttp3.ConnectAsync(gateway["ingress"], "a.test", Cancellation);
        var last = busy.GetAsync("/slow", [], Cancellation);
        await using var idle = await RawHttp3.ConnectAsync(gateway["ingress"], "a.test", Cancellation);
        Assert.Equal("200", await idle.GetAsync("/", [], Cancellation));

        await gateway.DrainAsync(TimeSpan.FromMinutes(5)).WaitAsync(TimeSpan.FromSeconds(60), Cancellation);

        Assert.Equal("200", await last);
        Assert.Equal("closed 100", await idle.WaitUntilClosedAsync(Cancellation));
    }

    [Fact]
    public async Task An_idle_connection_is_closed()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port, limits: "idle_timeout: 1s");
        await using var idle = await RawHttp3.ConnectAsync(gateway["ingress"], "a.test", Cancellation);
        Assert.Equal("200", await idle.GetAsync("/", [], Cancellation));

        Assert.Equal("closed 100", await idle.WaitUntilClosedAsync(Cancellation).WaitAsync(TimeSpan.FromSeconds(60), Cancellation));
    }

    [Fact]
    public async Task A_connection_carries_no_more_streams_than_its_limit()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port, limits: "streams_per_connection: 1");
        using var client = Client(HttpVersion.Version30);
        upstream.NextEvent.Release();
        using var events = new StreamReader(await client.GetStreamAsync(Address(gateway, "/events"), Cancellation));
        Assert.Equal("data: 1", await events.ReadLineAsync(Cancellation));

        var second = client.GetStringAsync(Address(gateway, "/"), Cancellation);
        await Task.Delay(500, Cancellation);
        Assert.False(second.IsCompleted, "A second stream was served beside the first.");

        upstream.NextEvent.Release(2);
        await events.ReadToEndAsync(Cancellation);
        Assert.StartsWith("GET / ", await second, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connections_over_tcp_and_udp_count_together()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await StartAsync(upstream.Port, limits: "connections_per_address: 1");
        using var tcp = Client(HttpVersion.Version20);
        using var udp = Client(HttpVersion.Version30);
        Assert.Equal(HttpStatusCode.OK, (await tcp.GetAsync(Address(gateway, "/"), Cancellation)).StatusCode);

        await Assert.ThrowsAsync<HttpRequestException>(() => udp.GetAsync(Address(gateway, "/"), Cancellation));

        tcp.Dispose();
        await WaitUntilAsync(async () => await TryGetAsync(udp, Address(gateway, "/")));
    }

    public void Dispose() => _certificates.Dispose();

    internal static void SkipWithoutQuic() => Assert.SkipUnless(Http3Listener.IsSupported, "QuicListener.IsSupported is false: this machine has no libmsquic. docs/guide/http3.md says how to get one.");

    private static string Address(TestGateway gateway, string path) => $"https://{gateway["ingress"]}{path}";

    private static HttpClient Client(Version version) => new(new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = static (_, _, _, _) => true } })
    {
        // QUIC on a machine that does other things too loses packets, and waits for them.
        Timeout = TimeSpan.FromSeconds(60),
        DefaultRequestVersion = version,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    private static async Task<IEnumerable<string>> AlternativeServiceAsync(HttpClient client, string address)
    {
        using var answer = await client.GetAsync(address, Cancellation);
        return answer.Headers.TryGetValues("Alt-Svc", out var values) ? values : [];
    }

    private static async Task<bool> TryGetAsync(HttpClient client, string address)
    {
        try
        {
            return (await client.GetAsync(address, Cancellation)).IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static async Task WaitUntilAsync(Func<Task<bool>> holds)
    {
        for (var i = 0; i < 600 && !await holds(); i++)
        {
            await Task.Delay(50, Cancellation);
        }

        Assert.True(await holds(), "Half a minute was not enough.");
    }

    private Task<TestGateway> StartAsync(int upstreamPort, string protocol = "auto", string http3 = "auto", string limits = "", string api = "") =>
        TestGateway.StartAsync(Configuration(upstreamPort, protocol, http3, limits, api), Cancellation);

    private string Configuration(int upstreamPort, string protocol = "auto", string http3 = "auto", string limits = "", string api = "") =>
        Http2Tests.Ingress(
            upstreamPort,
            $"tls: [{{ certificate: {_certificates.Directory}/a.pem, key: {_certificates.Directory}/a.key }}, {{ certificate: {_certificates.Directory}/b.pem, key: {_certificates.Directory}/b.key }}], http3: {http3}, limits: {{ {limits} }}",
            protocol).Replace("direction: ingress,", "direction: ingress, " + api, StringComparison.Ordinal);

    /// <summary>Content that may still be sent while the answer is read, which the platform's own kinds may not.</summary>
    private sealed class DuplexContent(byte[] content) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            for (var i = 0; i < content.Length; i += 64 * 1024)
            {
                await stream.WriteAsync(content.AsMemory(i, 64 * 1024), Cancellation);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = content.Length;
            return true;
        }
    }
}
