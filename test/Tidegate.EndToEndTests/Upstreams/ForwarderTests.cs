using System.Net;
using System.Net.Sockets;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>What both clients do alike, against raw sockets that answer byte for byte what the test says.</summary>
public abstract class ForwarderTests : ForwardTest
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    private protected ForwarderTests(UpstreamClient client)
        : base(new ForwarderOptions { Client = client }) => _listener.Start();

    private int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    [Fact]
    public async Task The_answers_status_fields_and_content_stand_on_the_exchange()
    {
        var upstream = AnswerAsync("HTTP/1.1 201 Created\r\nX-Twice: a\r\nX-Twice: b\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nContent-Length: 5\r\n\r\nhello");
        var exchange = NewExchange("/a%2Fb;v=1?q=%20x");
        exchange.RequestHeaders.Add("X-Mixed-Case", "ÿ");

        await ForwardAsync(exchange, Upstream());

        Assert.Equal((Outcome.Forwarded, 201, "hello"), (exchange.Outcome, exchange.ResponseStatus, await ReadAsync(exchange)));
        Assert.Equal("a", exchange.ResponseHeaders.Get("x-twice"));
        Assert.Null(exchange.ResponseHeaders.Get("X-Hop"));
        Assert.Null(exchange.ResponseHeaders.Get(KnownHeader.KeepAlive));
        var request = await upstream;
        Assert.StartsWith("GET /a%2Fb;v=1?q=%20x HTTP/1.1\r\n", request, StringComparison.Ordinal);
        Assert.Contains($"Host: 127.0.0.1:{Port}\r\n", request, StringComparison.Ordinal);
        Assert.Contains("X-Mixed-Case: ÿ\r\n", request, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")]
    public async Task Content_that_was_cut_short_is_never_an_end(string answer)
    {
        var upstream = AnswerAsync(answer);
        var exchange = NewExchange("/");

        await ForwardAsync(exchange, Upstream());

        var broken = await Assert.ThrowsAsync<MessageBodyException>(() => ReadAsync(exchange));
        Assert.Equal("response_truncated", broken.Failure.Code);
        await upstream;
    }

    [Fact]
    public async Task Trailers_are_there_after_the_last_byte()
    {
        var upstream = AnswerAsync("HTTP/1.1 200 OK\r\nTrailer: Grpc-Status\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nGrpc-Status: 0\r\n\r\n");
        var exchange = NewExchange("/");

        await ForwardAsync(exchange, Upstream());

        Assert.Equal("hi", await ReadAsync(exchange));
        Assert.Equal("0", exchange.ResponseBody.Trailers?.Get("grpc-status"));
        await upstream;
    }

    [Fact]
    public async Task A_port_where_nobody_listens_is_connect_failed_and_may_be_tried_again()
    {
        var exchange = NewExchange(TestPorts.Free());

        await ForwardAsync(exchange, Upstream());

        Assert.Equal(("connect_failed", 502, true), (exchange.Failure!.Code, exchange.Failure.Status, exchange.Failure.Retryable));
    }

    [Fact]
    public async Task An_unknown_name_is_dns_failed()
    {
        var exchange = NewExchange("/", host: "no-such-name.invalid");

        await ForwardAsync(exchange, Upstream());

        Assert.Equal("dns_failed", exchange.Failure!.Code);
    }

    [Fact]
    public async Task An_upstream_that_does_not_answer_in_time_is_response_headers_timeout()
    {
        var exchange = NewExchange("/");

        await ForwardAsync(exchange, Upstream(Timeouts(connectMilliseconds: 20_000, headersMilliseconds: 50)));

        Assert.Equal(("response_headers_timeout", 504), (exchange.Failure!.Code, exchange.Failure.Status));
    }

    [Fact]
    public async Task An_answer_that_is_not_http_is_response_malformed()
    {
        var upstream = AnswerAsync("220 mail.test ESMTP\r\n\r\n");
        var exchange = NewExchange("/");

        await ForwardAsync(exchange, Upstream());

        Assert.Equal("response_malformed", exchange.Failure!.Code);
        await upstream;
    }

    [Fact]
    public async Task A_client_that_leaves_cancels_the_upstream_call()
    {
        using var client = new CancellationTokenSource();
        var exchange = NewExchange("/");
        exchange.Aborted = client.Token;
        var forwarding = ForwardAsync(exchange, Upstream());
        using var connection = await _listener.AcceptTcpClientAsync(Cancellation);

        // Only a connection that carries the request is ended by it; one that is still unused goes back to the pool.
        var buffer = new byte[4096];
        Assert.NotEqual(0, await connection.GetStream().ReadAsync(buffer, Cancellation));

        await client.CancelAsync();
        await forwarding;

        Assert.Equal("client_aborted", exchange.Failure!.Code);
        Assert.True(await HasEndedAsync(connection.GetStream()));
    }

    /// <summary>However: the reactors reset what is left in the middle.</summary>
    private static async Task<bool> HasEndedAsync(NetworkStream stream)
    {
        try
        {
            return await stream.ReadAsync(new byte[1], Cancellation) == 0;
        }
        catch (IOException)
        {
            return true;
        }
    }

    [Fact]
    public async Task A_call_to_the_gateways_own_address_is_refused_as_a_loop()
    {
        Forwarder.OwnEndpoints = [(IPEndPoint)_listener.LocalEndpoint];
        var exchange = NewExchange("/");

        await ForwardAsync(exchange, Upstream());

        Assert.Equal(("self_connection", 508), (exchange.Failure!.Code, exchange.Failure.Status));
    }

    [Fact]
    public async Task In_base_url_mode_links_into_the_api_lead_through_the_gateway()
    {
        var origin = $"http://127.0.0.1:{Port}";
        var upstream = AnswerAsync($"HTTP/1.1 302 Found\r\nLocation: {origin}/v1/x?a=1\r\nContent-Location: /v1/y\r\nLink: <{origin}/v1?page=2>; rel=\"next\", <https://else.test/>; rel=\"docs\"\r\nContent-Length: 0\r\n\r\n");
        var exchange = NewExchange("/v1");
        exchange.BaseOrigin = "http://gate:8080";
        exchange.BasePath = "/stripe";

        await ForwardAsync(exchange, Upstream());

        Assert.Equal("http://gate:8080/stripe/v1/x?a=1", exchange.ResponseHeaders.Get("Location"));
        Assert.Equal("http://gate:8080/stripe/v1/y", exchange.ResponseHeaders.Get("Content-Location"));
        Assert.Equal("<http://gate:8080/stripe/v1?page=2>; rel=\"next\", <https://else.test/>; rel=\"docs\"", exchange.ResponseHeaders.Get("Link"));
        await upstream;
    }

    public override async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await base.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private Exchange NewExchange(string pathAndQuery, string host = "127.0.0.1") => NewExchange(Port, pathAndQuery, host: host);

    /// <summary>Reads one request head, answers and closes; returns the head.</summary>
    private async Task<string> AnswerAsync(string answer)
    {
        using var client = await _listener.AcceptTcpClientAsync(Cancellation);
        var stream = client.GetStream();
        var head = new StringBuilder();
        var buffer = new byte[4096];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            head.Append(Encoding.Latin1.GetString(buffer, 0, await stream.ReadAsync(buffer, Cancellation)));
        }

        await stream.WriteAsync(Encoding.Latin1.GetBytes(answer), Cancellation);
        return head.ToString();
    }
}

public sealed class OwnClientForwarderTests() : ForwarderTests(UpstreamClient.Own);

public sealed class SocketsHttpHandlerForwarderTests() : ForwarderTests(UpstreamClient.SocketsHttpHandler);
