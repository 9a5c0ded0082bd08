using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>TLS to upstreams: what is trusted, and who speaks after the handshake.</summary>
public sealed class UpstreamTlsTests : IAsyncDisposable
{
    private readonly TestCertificates _certificates = new();
    private readonly X509Certificate2 _certificate;
    private readonly string _authorityFile;

    public UpstreamTlsTests()
    {
        _certificate = _certificates.Create("upstream", "upstream.test");
        _authorityFile = Path.Combine(_certificates.Directory, "upstream.pem");
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync()
    {
        _certificate.Dispose();
        _certificates.Dispose();
        return default;
    }

    [Theory]
    [InlineData(nameof(UpstreamClient.Own), "Http1", "auto", "HTTP/1.1", 1)]
    [InlineData(nameof(UpstreamClient.Own), "Http1AndHttp2", "auto", "HTTP/2", 0)]
    [InlineData(nameof(UpstreamClient.Own), "Http1AndHttp2", "http1", "HTTP/1.1", 1)]
    [InlineData(nameof(UpstreamClient.Own), "Http1AndHttp2", "http2", "HTTP/2", 0)]
    [InlineData(nameof(UpstreamClient.SocketsHttpHandler), "Http1", "auto", "HTTP/1.1", 0)]
    [InlineData(nameof(UpstreamClient.SocketsHttpHandler), "Http1AndHttp2", "auto", "HTTP/2", 0)]
    public async Task Who_speaks_is_what_the_handshake_says_and_a_burst_opens_no_more_than_it_needs(string client, string offered, string protocol, string spoken, int ownConnections)
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate, Enum.Parse<HttpProtocols>(offered));
        await using var forwarder = NewForwarder(client);
        var settings = Settings(protocol: Enum.Parse<UpstreamProtocol>(protocol, ignoreCase: true));

        // The first of a burst learns what the destination speaks; the others follow.
        var first = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => GetAsync(forwarder, upstream.Port, settings)));
        var next = await GetAsync(forwarder, upstream.Port, settings);

        foreach (var (exchange, content) in first.Append(next))
        {
            Assert.True(exchange.Outcome == Outcome.Forwarded, exchange.Failure?.Detail);
            Assert.Contains(spoken, content, StringComparison.Ordinal);
            Assert.Equal(spoken == "HTTP/2" ? ProtocolVersion.Http2 : ProtocolVersion.Http11, exchange.UpstreamProtocol);
        }

        // What the burst began to open and did not need arrives late.
        await Eventually.HoldsAsync(() => forwarder.PoolStatistics.All(pool => pool.Open == pool.Idle && (ownConnections > 0 || pool.Open == 0)), "A connection is held.", Cancellation);
        var pool = Assert.Single(forwarder.PoolStatistics);
        Assert.True(ownConnections == 0 ? pool.Open == 0 : pool.Open >= ownConnections, pool.ToString());
        Assert.Equal(0, next.Exchange.Timings.Connecting);
    }

    [Fact]
    public async Task An_upgrade_stays_on_HTTP_1_1_where_everything_else_is_HTTP_2()
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http1AndHttp2);
        await using var forwarder = NewForwarder(nameof(UpstreamClient.Own));
        Assert.Contains("HTTP/2", (await GetAsync(forwarder, upstream.Port, Settings())).Content, StringComparison.Ordinal);
        var exchange = NewExchange(upstream.Port);
        exchange.UpgradeProtocol = "other";

        await forwarder.ForwardAsync(exchange, Settings());

        Assert.Contains("HTTP/1.1", await ReadAsync(exchange), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(nameof(UpstreamClient.Own), false, null, "tls_failed")]
    [InlineData(nameof(UpstreamClient.Own), true, "other.test", "tls_failed")]
    [InlineData(nameof(UpstreamClient.Own), true, "upstream.test", null)]
    [InlineData(nameof(UpstreamClient.SocketsHttpHandler), false, null, "tls_failed")]
    [InlineData(nameof(UpstreamClient.SocketsHttpHandler), true, "other.test", "tls_failed")]
    [InlineData(nameof(UpstreamClient.SocketsHttpHandler), true, "upstream.test", null)]
    public async Task A_certificate_must_be_trusted_and_be_for_the_name(string client, bool trusts, string? serverName, string? code)
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate);
        await using var forwarder = NewForwarder(client);

        var (exchange, _) = await GetAsync(forwarder, upstream.Port, Settings(new UpstreamTls(true, trusts ? _authorityFile : null, serverName)));

        Assert.Equal(code, exchange.Failure?.Code);
        if (code is not null)
        {
            Assert.Equal((502, true), (exchange.Failure!.Status, exchange.Failure.Retryable));
            Assert.Equal(0, Assert.Single(forwarder.PoolStatistics).Open);
        }
    }

    [Theory]
    [InlineData(nameof(UpstreamClient.Own))]
    [InlineData(nameof(UpstreamClient.SocketsHttpHandler))]
    public async Task Cleartext_where_TLS_was_due_is_tls_failed(string client)
    {
        await using var upstream = ScriptedUpstream.Answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        await using var forwarder = NewForwarder(client);

        var (exchange, _) = await GetAsync(forwarder, upstream.Port, Settings(), timeouts: UpstreamTimeouts.Default with { Connect = TimeSpan.FromSeconds(2) });

        Assert.True(exchange.Failure?.Code is "tls_failed" or "connect_timeout", exchange.Failure?.Code);
    }

    [Fact]
    public async Task Large_content_passes_through_TLS_both_ways()
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate);
        await using var forwarder = NewForwarder(nameof(UpstreamClient.Own));
        var content = string.Concat(Enumerable.Range(0, 200_000).Select(i => $"{i:x5},"));
        for (var i = 0; i < 2; i++)
        {
            var exchange = NewExchange(upstream.Port, "/echo");
            exchange.Method = "POST";
            exchange.RequestBody = TestBody.Of(content, isChunked: i == 1);

            await forwarder.ForwardAsync(exchange, Settings());

            Assert.Equal(content, await ReadAsync(exchange));
        }

        Assert.Equal((1, 1), (Assert.Single(forwarder.PoolStatistics).Open, Assert.Single(forwarder.PoolStatistics).Opened));
    }

    [Fact]
    public async Task A_root_that_was_replaced_in_its_file_is_used_by_the_next_handshake()
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate);
        await using var forwarder = NewForwarder(nameof(UpstreamClient.Own));
        using var other = _certificates.Create("other", "other.test");
        var file = Path.Combine(_certificates.Directory, "other.pem");
        var settings = Settings(new UpstreamTls(true, file, "upstream.test"));
        Assert.Equal("tls_failed", (await GetAsync(forwarder, upstream.Port, settings)).Exchange.Failure?.Code);

        await File.WriteAllTextAsync(file, _certificate.ExportCertificatePem(), Cancellation);
        File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddSeconds(5));

        Assert.Equal(Outcome.Forwarded, (await GetAsync(forwarder, upstream.Port, settings)).Exchange.Outcome);
    }

    private static Forwarder NewForwarder(string client) => new(TimeProvider.System, new ForwarderOptions { Client = Enum.Parse<UpstreamClient>(client) });

    private Upstream Settings(UpstreamTls? tls = null, UpstreamProtocol protocol = UpstreamProtocol.Auto) => new()
    {
        Name = "test",
        Destinations = [],
        Timeouts = UpstreamTimeouts.Default,
        Tls = tls ?? new UpstreamTls(true, _authorityFile, "upstream.test"),
        Protocol = protocol,
    };

    private static Exchange NewExchange(int port, string path = "/") => new()
    {
        Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
        Client = new RecordingClient(),
        Method = "GET",
        Target = new ExchangeTarget("https", "localhost", port, path, null),
        Timings = { Received = TimeProvider.System.GetTimestamp() },
    };

    private static async Task<(Exchange Exchange, string Content)> GetAsync(Forwarder forwarder, int port, Upstream upstream, UpstreamTimeouts? timeouts = null)
    {
        var exchange = NewExchange(port);
        await forwarder.ForwardAsync(exchange, timeouts is null ? upstream : upstream with { Timeouts = timeouts });
        return (exchange, await ReadAsync(exchange));
    }

    private static async Task<string> ReadAsync(Exchange exchange)
    {
        var content = new MemoryStream();
        var buffer = new byte[16 * 1024];
        while (await exchange.ResponseBody.ReadAsync(buffer, Cancellation) is > 0 and var read)
        {
            content.Write(buffer, 0, read);
        }

        await exchange.ResponseBody.DisposeAsync();
        return System.Text.Encoding.Latin1.GetString(content.ToArray());
    }
}
