using System.Net;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>What a client of the gateway sees of an upstream that speaks HTTP/3.</summary>
[SupportedOSPlatform("linux"), SupportedOSPlatform("macos"), SupportedOSPlatform("windows")]
public sealed class Http3ThroughGatewayTests : IDisposable
{
    private readonly TestCertificates _certificates = new();
    private readonly X509Certificate2 _certificate;
    private readonly HttpClient _client = new() { Timeout = TimeSpan.FromSeconds(60) };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public Http3ThroughGatewayTests()
    {
        Http3Tests.SkipWithoutQuic();
        _certificate = _certificates.Create("upstream", "upstream.test");
    }

    public void Dispose()
    {
        _client.Dispose();
        _certificate.Dispose();
        _certificates.Dispose();
    }

    [Fact]
    public async Task A_get_and_a_post_of_megabytes_pass_and_the_record_tells_the_protocol()
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http3);
        await using var gateway = await StartAsync(upstream.Port);
        var content = Enumerable.Range(0, 5_000_000).Select(i => (byte)(i * 7 + (i >> 9))).ToArray();

        Assert.StartsWith("GET /a%20b?q=1 HTTP/3 host=127.0.0.1", await _client.GetStringAsync(Address(gateway, "/a%20b?q=1"), Cancellation), StringComparison.Ordinal);
        using var posted = await _client.PostAsync(Address(gateway, "/hash"), new ByteArrayContent(content), Cancellation);
        Assert.Equal(Convert.ToHexString(SHA256.HashData(content)), await posted.Content.ReadAsStringAsync(Cancellation));
        using var large = await _client.GetAsync(Address(gateway, "/large"), Cancellation);
        Assert.Equal(64 * 1024 * 1024, (await large.Content.ReadAsByteArrayAsync(Cancellation)).Length);

        var records = await gateway.RecordsAsync(3, Cancellation);
        Assert.All(records, record => Assert.Equal((ProtocolVersion.Http3, Outcome.Forwarded, 200), (record.UpstreamProtocol, record.Outcome, record.Status)));
    }

    [Fact]
    public async Task Each_event_leaves_as_it_arrives()
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http3);
        await using var gateway = await StartAsync(upstream.Port);
        upstream.NextEvent.Release();

        using var events = new StreamReader(await _client.GetStreamAsync(Address(gateway, "/events"), Cancellation));
        for (var i = 1; i <= 3; i++)
        {
            Assert.Equal($"data: {i}", await events.ReadLineAsync(Cancellation));
            Assert.Equal("", await events.ReadLineAsync(Cancellation));
            upstream.NextEvent.Release();
        }

        Assert.Null(await events.ReadLineAsync(Cancellation));
    }

    [Fact]
    public async Task Trailers_arrive()
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http3);
        await using var gateway = await StartAsync(upstream.Port);
        using var request = new HttpRequestMessage(HttpMethod.Get, Address(gateway, "/trailers")) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };

        using var answer = await _client.SendAsync(request, Cancellation);

        Assert.Equal("content", await answer.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal("42", answer.TrailingHeaders.GetValues("X-Checksum").Single());
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task An_answer_that_breaks_in_the_middle_is_never_completed(string version)
    {
        await using var upstream = await RawHttp3Upstream.StartAsync(_certificate, static async request =>
        {
            await request.ReadAsync();
            await request.SendHeadAsync(200);
            await request.SendContentAsync("abc", ends: false);
            await Task.Delay(200, Cancellation);
            request.Reset(0x102);
        });
        await using var gateway = await StartAsync(upstream.Port);
        using var request = new HttpRequestMessage(HttpMethod.Get, Address(gateway, "/")) { Version = Version.Parse(version), VersionPolicy = HttpVersionPolicy.RequestVersionExact };

        await Assert.ThrowsAsync<HttpRequestException>(() => _client.SendAsync(request, Cancellation));

        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal((Outcome.Failed, "response_truncated"), (record.Outcome, record.Code));
    }

    [Theory]
    [InlineData("GET", 0x102, 2)]
    [InlineData("GET", 0x10B, 2)]
    [InlineData("POST", 0x102, 1)]
    [InlineData("POST", 0x10B, 2)]
    public async Task A_reset_before_the_answer_is_mended_where_that_is_safe(string method, long code, int attempts)
    {
        var whole = 0;
        await using var upstream = await RawHttp3Upstream.StartAsync(_certificate, async request =>
        {
            await request.ReadAsync();
            if (Interlocked.Increment(ref whole) == 1)
            {
                request.Reset(code);
                return;
            }

            await request.AnswerAsync();
        });
        await using var gateway = await StartAsync(upstream.Port, "retry: { attempts: 2 },");
        using var request = new HttpRequestMessage(new HttpMethod(method), Address(gateway, "/")) { Content = method == "POST" ? new StringContent("content") : null };

        using var answer = await _client.SendAsync(request, Cancellation);

        // A rejected request without content is sent again by the framework already.
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal(method == "GET" && code == 0x10B ? 1 : attempts, record.Attempts);
        Assert.Equal(attempts == 2 ? HttpStatusCode.OK : HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Equal(attempts == 2 ? "" : "request_failed", record.Code);
        Assert.Equal(attempts, whole);
    }

    [Fact]
    public async Task What_nobody_calls_any_more_is_closed_and_what_is_in_flight_ends_whole()
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http3);
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var forwarder = new Forwarder(time);
        var exchange = new Exchange
        {
            Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
            Client = new RecordingClient(),
            Method = "GET",
            Target = new ExchangeTarget("https", "upstream.test", 443, "/events", null),
            Timings = { Received = time.GetTimestamp() },
        };
        upstream.NextEvent.Release();
        await forwarder.ForwardAsync(exchange, new Upstream
        {
            Name = "test",
            Destinations = [new Destination("https", "127.0.0.1", upstream.Port)],
            Timeouts = UpstreamTimeouts.Default,
            Tls = new UpstreamTls(true, Path.Combine(_certificates.Directory, "upstream.pem"), null),
            Protocol = UpstreamProtocol.Http3,
        });
        var buffer = new byte[64];
        Assert.Equal(9, await exchange.ResponseBody.ReadAsync(buffer, Cancellation));
        Assert.Equal(1, forwarder.Http3HandlerCount);

        for (var minute = 0; minute < 25; minute++)
        {
            time.Advance(TimeSpan.FromMinutes(1));
        }

        Assert.Equal(0, forwarder.Http3HandlerCount);
        upstream.NextEvent.Release(2);
        var rest = 0;
        while (await exchange.ResponseBody.ReadAsync(buffer, Cancellation) is > 0 and var read)
        {
            rest += read;
        }

        Assert.Equal(18, rest);
        await exchange.ResponseBody.DisposeAsync();
    }

    private static string Address(TestGateway gateway, string path) => $"http://{gateway["ingress"]}{path}";

    private Task<TestGateway> StartAsync(int port, string api = "") => TestGateway.StartAsync($$"""
        listeners: { ingress: { address: 127.0.0.1:0 } }
        apis:
          - { name: orders, direction: ingress, {{api}} upstream: { destinations: [https://127.0.0.1:{{port}}], protocol: http3, tls: { authority: {{_certificates.Directory}}/upstream.pem } } }
        """, Cancellation);
}
