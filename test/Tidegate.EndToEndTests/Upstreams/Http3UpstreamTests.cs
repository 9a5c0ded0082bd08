using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>HTTP/3 to upstreams: each phase of an attempt, and that nothing that protects one over TCP is gone around.</summary>
[SupportedOSPlatform("linux"), SupportedOSPlatform("macos"), SupportedOSPlatform("windows")]
public sealed class Http3UpstreamTests : IAsyncDisposable
{
    private readonly TestCertificates _certificates = new();
    private readonly X509Certificate2 _certificate;
    private readonly string _authorityFile;
    private readonly Forwarder _forwarder = new(TimeProvider.System);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public Http3UpstreamTests()
    {
        Http3Tests.SkipWithoutQuic();
        _certificate = _certificates.Create("upstream", "upstream.test");
        _authorityFile = Path.Combine(_certificates.Directory, "upstream.pem");
    }

    public async ValueTask DisposeAsync()
    {
        await _forwarder.DisposeAsync();
        _certificate.Dispose();
        _certificates.Dispose();
    }

    [Fact]
    public async Task A_get_arrives_and_the_next_one_needs_no_connection()
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http3);

        var first = await GetAsync(upstream.Port);
        var second = await GetAsync(upstream.Port);

        Assert.Equal("GET / HTTP/3 host=upstream.test key= api_key= cookie=", first.Content);
        Assert.Equal(ProtocolVersion.Http3, first.Exchange.UpstreamProtocol);
        Assert.True(first.Exchange.Timings.Connecting > 0);
        Assert.Equal(0, second.Exchange.Timings.Connecting);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Content_flows_both_ways(bool isOfUnknownLength)
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http3);
        var content = string.Concat(Enumerable.Range(0, 200_000).Select(i => $"{i:x5},"));
        var exchange = NewExchange("/echo", "POST");
        exchange.RequestBody = TestBody.Of(content, isOfUnknownLength);

        Assert.Equal(content, await ForwardAsync(exchange, Settings(upstream.Port)));
    }

    [Fact]
    public async Task Each_piece_is_answered_before_the_next_is_sent()
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http3);
        var body = new TestBody(null);
        body.Add("one");
        var exchange = NewExchange("/echo", "POST");
        exchange.RequestBody = body;

        await _forwarder.ForwardAsync(exchange, Settings(upstream.Port));
        var buffer = new byte[64];
        Assert.Equal(3, await exchange.ResponseBody.ReadAsync(buffer, Cancellation));
        body.Add("three");
        Assert.Equal(5, await exchange.ResponseBody.ReadAsync(buffer, Cancellation));
        body.End();

        Assert.Equal(0, await exchange.ResponseBody.ReadAsync(buffer, Cancellation));
        await exchange.ResponseBody.DisposeAsync();
    }

    [Fact]
    public async Task Trailers_arrive()
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http3);
        var exchange = NewExchange("/trailers");

        Assert.Equal("content", await ForwardAsync(exchange, Settings(upstream.Port)));
        Assert.Equal("42", exchange.ResponseBody.Trailers!.Get("X-Checksum"));
    }

    [Theory]
    [InlineData("reset 102", "request_failed", false)]
    [InlineData("reset 10b", "request_failed", true)]
    [InlineData("reset 110", "request_failed", false)]
    [InlineData("close 100", "request_failed", false)]
    [InlineData("close 102", "request_failed", false)]
    [InlineData("settings", "response_malformed", false)]
    [InlineData("content first", "response_malformed", false)]
    [InlineData("no status", "response_malformed", false)]
    [InlineData("half a head", "response_malformed", false)]
    [InlineData("end", "response_malformed", false)]
    public async Task Trouble_before_an_answer_is_named_and_retryable_only_where_nothing_was_done(string trouble, string code, bool isRetryable)
    {
        await using var upstream = await RawHttp3Upstream.StartAsync(_certificate, async request =>
        {
            await request.ReadAsync();
            switch (trouble.Split(' ')[0])
            {
                case "reset":
                    request.Reset(Convert.ToInt64(trouble.Split(' ')[1], 16));
                    break;
                case "close":
                    await request.CloseAsync(Convert.ToInt64(trouble.Split(' ')[1], 16));
                    break;
                case "settings":
                    await request.SendFrameAsync(4, [], ends: true);
                    break;
                case "content":
                    await request.SendContentAsync("abc", ends: true);
                    break;
                case "no":
                    await request.SendFieldsAsync([("server", "x")], ends: true);
                    break;
                case "half":
                    await request.SendTruncatedAsync(1);
                    break;
                default:
                    await request.SendFrameAsync(0x21, [], ends: true);
                    break;
            }
        });

        var (exchange, _) = await GetAsync(upstream.Port, Settings(upstream.Port));

        Assert.Equal((code, isRetryable), (exchange.Failure?.Code, exchange.Failure?.Retryable));
        Assert.Equal(!isRetryable, exchange.WasSent);
    }

    [Theory]
    [InlineData("reset", "response_truncated")]
    [InlineData("close", "response_truncated")]
    [InlineData("too short", "response_truncated")]
    [InlineData("half a frame", "response_truncated")]
    [InlineData("too long", "response_malformed")]
    public async Task An_answer_that_is_not_whole_never_ends_well(string trouble, string code)
    {
        await using var upstream = await RawHttp3Upstream.StartAsync(_certificate, async request =>
        {
            await request.ReadAsync();
            if (trouble.StartsWith("too", StringComparison.Ordinal))
            {
                await request.AnswerAsync("abcde", ("content-length", trouble == "too short" ? "6" : "4"));
                return;
            }

            await request.SendHeadAsync(200);
            await request.SendContentAsync("abc", ends: false);
            switch (trouble)
            {
                case "reset":
                    await Task.Delay(200, Cancellation);
                    request.Reset(0x102);
                    break;
                case "close":
                    await Task.Delay(200, Cancellation);
                    await request.CloseAsync(0x100);
                    break;
                default:
                    await request.SendTruncatedAsync(0);
                    break;
            }
        });
        var exchange = NewExchange();

        await _forwarder.ForwardAsync(exchange, Settings(upstream.Port));
        var broken = await Assert.ThrowsAsync<MessageBodyException>(() => ReadAsync(exchange));

        Assert.Equal(code, broken.Failure.Code);
    }

    [Fact]
    public async Task A_line_end_in_a_value_makes_no_field_of_its_own()
    {
        await using var upstream = await RawHttp3Upstream.StartAsync(_certificate, static async request =>
        {
            await request.ReadAsync();
            await request.SendHeadAsync(200, ("x-a", "a\nx-b: b"), ("content-language", "a\r\nset-cookie: b"));
            await request.SendFieldsAsync([("x-c", "a\0b")], ends: true);
        });
        var exchange = NewExchange();

        Assert.Equal("", await ForwardAsync(exchange, Settings(upstream.Port)));
        Assert.Equal(("a x-b: b", "a  set-cookie: b", "a b"), (exchange.ResponseHeaders.Get("X-A"), exchange.ResponseHeaders.Get("Content-Language"), exchange.ResponseBody.Trailers!.Get("X-C")));
    }

    [Theory]
    [InlineData("HEAD", 200)]
    [InlineData("GET", 304)]
    public async Task A_length_of_content_that_does_not_come_is_no_truncation(string method, int status)
    {
        await using var upstream = await RawHttp3Upstream.StartAsync(_certificate, async request =>
        {
            await request.ReadAsync();
            await request.SendFieldsAsync([(":status", $"{status}"), ("content-length", "10")], ends: true);
        });
        var exchange = NewExchange(method: method);

        Assert.Equal("", await ForwardAsync(exchange, Settings(upstream.Port)));
        Assert.Equal((status, 10), (exchange.ResponseStatus, exchange.ResponseBody.Length));
    }

    [Fact]
    public async Task Content_that_was_begun_is_not_sent_again_as_if_its_rest_were_the_whole()
    {
        var read = new List<int>();
        await using var upstream = await RawHttp3Upstream.StartAsync(_certificate, async request =>
        {
            if (request.Number == 0)
            {
                await request.ReadSomeAsync();
                await request.GoAwayAsync(0);
                await request.WaitAsync();
            }

            read.Add(await request.ReadAsync());
            await request.AnswerAsync();
        });
        var body = new TestBody(null);
        body.Add("one");
        var exchange = NewExchange(method: "POST");
        exchange.RequestBody = body;

        await _forwarder.ForwardAsync(exchange, Settings(upstream.Port));

        Assert.Equal(("request_failed", true, false), (exchange.Failure?.Code, exchange.Failure?.Retryable, exchange.WasSent));
        Assert.Empty(read);
    }

    [Fact]
    public async Task A_request_that_GOAWAY_leaves_out_goes_to_the_next_connection()
    {
        await using var upstream = await RawHttp3Upstream.StartAsync(_certificate, async request =>
        {
            await request.ReadAsync();
            if (request.Number == 0)
            {
                await request.GoAwayAsync(0);
                await request.WaitAsync();
            }

            await request.AnswerAsync();
        });

        Assert.Equal("good", (await GetAsync(upstream.Port, Settings(upstream.Port))).Content);
        Assert.Equal((2, 2), (upstream.Connections, upstream.Requests));
    }

    [Fact]
    public async Task A_kept_connection_that_died_is_replaced()
    {
        await using var upstream = await RawHttp3Upstream.StartAsync(_certificate, async request =>
        {
            await request.ReadAsync();
            await request.AnswerAsync();
            if (request.Number == 0)
            {
                await Task.Delay(200, Cancellation);
                await request.CloseAsync(0x100);
            }
        });
        Assert.Equal("good", (await GetAsync(upstream.Port, Settings(upstream.Port))).Content);
        await Task.Delay(600, Cancellation);

        Assert.Equal("good", (await GetAsync(upstream.Port, Settings(upstream.Port))).Content);
        Assert.Equal(2, upstream.Connections);
    }

    [Fact]
    public async Task An_upstream_that_restarts_is_reached_again_at_once()
    {
        var upstream = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http3);
        var port = upstream.Port;
        Assert.Equal(Outcome.Forwarded, (await GetAsync(port)).Exchange.Outcome);
        await upstream.DisposeAsync();

        for (var i = 0; i < 3; i++)
        {
            var (down, _) = await GetAsync(port, Settings(port, timeouts: Timeouts(connectMilliseconds: 500)));
            Assert.True(down.Failure is { Code: "connect_failed" or "connect_timeout", Retryable: true }, down.Failure?.Code);
        }

        await using var again = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http3, port);
        var (up, _) = await GetAsync(port);
        Assert.True(up.Outcome == Outcome.Forwarded, up.Failure?.Code);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Without_HTTP_3_there_the_attempt_ends_within_the_connect_timeout(bool isSilent)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var port = ((IPEndPoint)socket.LocalEndPoint!).Port;
        if (!isSilent)
        {
            socket.Dispose();
        }

        var began = TimeProvider.System.GetTimestamp();
        var (exchange, _) = await GetAsync(port, Settings(port, timeouts: Timeouts(connectMilliseconds: 700)));

        Assert.True(exchange.Failure is { Code: "connect_failed" or "connect_timeout", Retryable: true }, exchange.Failure?.Code);
        Assert.False(exchange.WasSent);
        Assert.InRange(TimeProvider.System.GetElapsedTime(began).TotalSeconds, 0, 5);
        if (isSilent)
        {
            Assert.Equal((FailureKind.ConnectTimeout, 504), (exchange.Failure?.Kind, exchange.Failure?.Status));
        }
    }

    [Fact]
    public async Task Another_protocol_in_the_handshake_is_tls_failed()
    {
        await using var upstream = await RawHttp3Upstream.StartAsync(_certificate, static _ => Task.CompletedTask, "other");

        var (exchange, _) = await GetAsync(upstream.Port, Settings(upstream.Port));

        Assert.Equal(("tls_failed", true), (exchange.Failure?.Code, exchange.Failure?.Retryable));
    }

    [Fact]
    public async Task Silence_after_the_request_ends_with_the_time_for_an_answer()
    {
        await using var upstream = await RawHttp3Upstream.StartAsync(_certificate, static request => request.WaitAsync());

        var (exchange, _) = await GetAsync(upstream.Port, Settings(upstream.Port, timeouts: Timeouts(headersMilliseconds: 400)));

        Assert.Equal(("response_headers_timeout", false, true), (exchange.Failure?.Code, exchange.Failure?.Retryable, exchange.WasSent));
    }

    [Fact]
    public async Task Silence_within_an_answer_ends_with_the_idle_timeout()
    {
        await using var upstream = await RawHttp3Upstream.StartAsync(_certificate, static async request =>
        {
            await request.SendHeadAsync(200);
            await request.SendContentAsync("abc", ends: false);
            await request.WaitAsync();
        });
        var exchange = NewExchange();

        await _forwarder.ForwardAsync(exchange, Settings(upstream.Port, timeouts: Timeouts(idleMilliseconds: 400)));
        var broken = await Assert.ThrowsAsync<MessageBodyException>(() => ReadAsync(exchange));

        Assert.Equal("idle_timeout", broken.Failure.Code);
    }

    [Theory]
    [InlineData(true, false, "upstream.test", "tls_failed")]
    [InlineData(true, true, "other.test", "tls_failed")]
    [InlineData(true, true, "upstream.test", null)]
    [InlineData(false, false, "other.test", null)]
    public async Task A_certificate_must_be_trusted_and_be_for_the_name(bool verifies, bool trusts, string host, string? code)
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http3);
        var exchange = NewExchange(host: host);

        await ForwardAsync(exchange, Settings(upstream.Port, tls: new UpstreamTls(verifies, trusts ? _authorityFile : null, null)));

        Assert.Equal(code, exchange.Failure?.Code);
    }

    [Fact]
    public async Task A_server_name_that_cannot_be_sent_is_never_left_out()
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http3);

        var (exchange, _) = await GetAsync(upstream.Port, Settings(upstream.Port, tls: new UpstreamTls(true, _authorityFile, "other.test")));

        Assert.Equal("tls_failed", exchange.Failure?.Code);
    }

    [Fact]
    public async Task A_root_that_was_replaced_in_its_file_is_used_by_the_next_handshake()
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http3);
        using var other = _certificates.Create("other", "other.test");
        var file = Path.Combine(_certificates.Directory, "other.pem");
        var settings = Settings(upstream.Port, tls: new UpstreamTls(true, file, null));
        Assert.Equal("tls_failed", (await GetAsync(upstream.Port, settings)).Exchange.Failure?.Code);

        await File.WriteAllTextAsync(file, _certificate.ExportCertificatePem(), Cancellation);
        File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddSeconds(5));
        Assert.Equal(Outcome.Forwarded, (await GetAsync(upstream.Port, settings)).Exchange.Outcome);

        File.Delete(file);
        Assert.Equal("tls_failed", (await GetAsync(upstream.Port, settings)).Exchange.Failure?.Code);
    }

    [Fact]
    public async Task The_gateway_never_calls_itself()
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http3);
        _forwarder.OwnEndpoints = [new IPEndPoint(IPAddress.Any, upstream.Port)];

        Assert.Equal("self_connection", (await GetAsync(upstream.Port)).Exchange.Failure?.Code);
    }

    [Fact]
    public async Task An_alternative_service_is_neither_followed_nor_told_on()
    {
        await using var other = await RawHttp3Upstream.StartAsync(_certificate, static request => request.AnswerAsync("other"));
        await using var upstream = await RawHttp3Upstream.StartAsync(_certificate, async request =>
        {
            await request.ReadAsync();
            await request.AnswerAsync("good", ("alt-svc", $"h3=\":{other.Port}\"; ma=3600"), ("alt-svc", "h3=\"127.0.0.1:1\""), ("x-a", "b"));
            await Task.Delay(100, Cancellation);

            // Whoever had followed it would take it for the next connection.
            await request.CloseAsync(0x100);
        });

        for (var i = 0; i < 3; i++)
        {
            var (exchange, content) = await GetAsync(upstream.Port, Settings(upstream.Port));
            Assert.Equal(("good", "b", null), (content, exchange.ResponseHeaders.Get("X-A"), exchange.ResponseHeaders.Get("Alt-Svc")));
            await Task.Delay(300, Cancellation);
        }

        Assert.Equal((3, 0), (upstream.Connections, other.Connections));
    }

    [Theory]
    [InlineData(false, 0, 0.9)]
    [InlineData(true, 0.9, 3)]
    public async Task An_address_without_HTTP_3_is_followed_by_the_next_and_remembered(bool isSilent, double least, double most)
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http3);
        using var silent = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        if (isSilent)
        {
            // The library listens on every address, and sorts out later.
            silent.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            silent.Bind(new IPEndPoint(IPAddress.Parse("127.0.0.2"), upstream.Port));
        }

        await using var forwarder = new Forwarder(TimeProvider.System, new ForwarderOptions { Resolve = static (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Parse("127.0.0.2"), IPAddress.Loopback]) });
        var settings = Settings(upstream.Port, timeouts: Timeouts(connectMilliseconds: 2_000)) with { Destinations = [new Destination("https", "upstream.test", upstream.Port)] };
        var times = new double[2];
        for (var i = 0; i < 2; i++)
        {
            var exchange = NewExchange("/echo", "POST");
            exchange.RequestBody = TestBody.Of("content");
            var began = TimeProvider.System.GetTimestamp();
            await forwarder.ForwardAsync(exchange, settings);
            times[i] = TimeProvider.System.GetElapsedTime(began).TotalSeconds;
            Assert.True(exchange.Outcome == Outcome.Forwarded, exchange.Failure?.Code);
            Assert.Equal("content", await ReadAsync(exchange));
        }

        // Half of the time for a connection.
        Assert.InRange(times[0], least, most);
        Assert.InRange(times[1], 0, 0.7);
    }

    [Fact]
    public async Task Where_connections_are_bounded_there_is_one()
    {
        await using var upstream = await RawHttp3Upstream.StartAsync(_certificate, static async request =>
        {
            await request.ReadAsync();
            await Task.Delay(50, Cancellation);
            await request.AnswerAsync();
        });
        var settings = Settings(upstream.Port) with { MaxConnections = 2 };

        var answers = await Task.WhenAll(Enumerable.Range(0, 250).Select(_ => GetAsync(upstream.Port, settings)));

        Assert.All(answers, answer => Assert.Equal("good", answer.Content));
        Assert.Equal(1, upstream.Connections);
    }

    [Fact]
    public async Task An_upgrade_is_HTTP_1_1_over_TCP_all_the_same()
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http1AndHttp2);
        var exchange = NewExchange();
        exchange.UpgradeProtocol = "other";

        Assert.Contains("HTTP/1.1", await ForwardAsync(exchange, Settings(upstream.Port)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_leaves_ends_the_stream_and_not_the_connection()
    {
        await using var upstream = await EchoUpstream.StartAsync(_certificate, HttpProtocols.Http3);
        upstream.NextEvent.Release();
        var exchange = NewExchange("/events");
        await _forwarder.ForwardAsync(exchange, Settings(upstream.Port));
        Assert.True(await exchange.ResponseBody.ReadAsync(new byte[64], Cancellation) > 0);

        await exchange.ResponseBody.DisposeAsync();

        Assert.True(await upstream.ClientGone.WaitAsync(TimeSpan.FromSeconds(20), Cancellation), "The upstream still answers.");
        Assert.Equal(0, (await GetAsync(upstream.Port)).Exchange.Timings.Connecting);
    }

    private static UpstreamTimeouts Timeouts(int connectMilliseconds = 5_000, int headersMilliseconds = 10_000, int idleMilliseconds = 10_000) =>
        new(TimeSpan.FromMilliseconds(connectMilliseconds), TimeSpan.FromMilliseconds(headersMilliseconds), TimeSpan.FromMilliseconds(idleMilliseconds), null);

    private static Exchange NewExchange(string path = "/", string method = "GET", string host = "upstream.test") => new()
    {
        Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
        Client = new RecordingClient(),
        Method = method,
        Target = new ExchangeTarget("https", host, 443, path, null),
        Timings = { Received = TimeProvider.System.GetTimestamp() },
    };

    private static async Task<string> ReadAsync(Exchange exchange)
    {
        var content = new MemoryStream();
        var buffer = new byte[16 * 1024];
        try
        {
            while (await exchange.ResponseBody.ReadAsync(buffer, Cancellation) is > 0 and var read)
            {
                content.Write(buffer, 0, read);
            }
        }
        finally
        {
            await exchange.ResponseBody.DisposeAsync();
        }

        return System.Text.Encoding.Latin1.GetString(content.ToArray());
    }

    private Upstream Settings(int port, UpstreamTls? tls = null, UpstreamTimeouts? timeouts = null) => new()
    {
        Name = "test",
        Destinations = [new Destination("https", "127.0.0.1", port)],
        Timeouts = timeouts ?? Timeouts(),
        Tls = tls ?? new UpstreamTls(true, _authorityFile, null),
        Protocol = UpstreamProtocol.Http3,
    };

    private async Task<(Exchange Exchange, string Content)> GetAsync(int port, Upstream? settings = null)
    {
        var exchange = NewExchange();
        return (exchange, await ForwardAsync(exchange, settings ?? Settings(port)));
    }

    private async Task<string> ForwardAsync(Exchange exchange, Upstream settings)
    {
        await _forwarder.ForwardAsync(exchange, settings);
        return exchange.Failure is { } failure ? failure.Code : await ReadAsync(exchange);
    }
}
