using System.Net;
using System.Net.Sockets;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>Raw bytes in, raw bytes out: every edge rule over a real socket, through a whole gateway.</summary>
public sealed class Http1WireTests : IAsyncLifetime
{
    private readonly TcpListener _upstream = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private Task _serving = Task.CompletedTask;
    private TestGateway _gateway = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _upstream.Start();
        _serving = ServeAsync();
        var port = ((IPEndPoint)_upstream.LocalEndpoint).Port;
        _gateway = await TestGateway.StartAsync($$"""
            listeners: { egress: { address: "127.0.0.1:0" }, ingress: { address: "127.0.0.1:0", limits: { header_count: 20, head: 4KB } } }
            apis:
              - { name: own, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{port}}"] }, max_request_body: 64 }
              - { name: echo, direction: egress, hosts: [echo.test], base_path: /echo, upstream: { destinations: ["http://127.0.0.1:{{port}}"] } }
            """, Cancellation);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\nHost: a\n\n", 400, "line_end_malformed")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400, "line_end_malformed")]
    [InlineData("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request_line_malformed")]
    [InlineData("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, "request_line_malformed")]
    [InlineData("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request_line_malformed")]
    [InlineData("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "version_not_supported")]
    [InlineData("GET / HTTP/1.1\r\n\r\n", 400, "host_malformed")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "host_malformed")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n", 400, "field_name_malformed")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400, "field_name_malformed")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400, "field_folded")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400, "field_value_malformed")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "length_and_coding")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400, "content_length_malformed")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -0\r\n\r\n", 400, "content_length_malformed")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello", 400, "content_length_malformed")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello", 400, "content_length_malformed")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400, "content_length_malformed")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400, "content_length_malformed")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, "transfer_coding_refused")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 400, "transfer_coding_refused")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "transfer_coding_refused")]
    [InlineData("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "transfer_coding_refused")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", 417, "expectation_unknown")]
    [InlineData("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "host_conflict")]
    [InlineData("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405, "connect_not_offered")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n", 400, "client_body_malformed")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n", 400, "client_body_malformed")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", 400, "client_body_malformed")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65\r\n\r\n", 413, "client_body_too_large")]
    [InlineData("GET /a%2Fb HTTP/1.1\r\nHost: a\r\n\r\n", 400, "encoded_slash")]
    public async Task A_malformed_request_is_refused_recorded_and_its_connection_closed(string request, int status, string code)
    {
        var reply = await SendAsync("ingress", request, closeAfterwards: code is "client_body_too_large" or "encoded_slash");

        Assert.StartsWith($"HTTP/1.1 {status} ", reply, StringComparison.Ordinal);
        Assert.Contains($"\"code\":\"{code}\"", reply, StringComparison.Ordinal);
        Assert.Equal(1, reply.Split("Tidegate-Exchange: ").Length - 1);
        var record = Assert.Single(await _gateway.RecordsAsync(1, Cancellation));
        Assert.Equal((status, code), (record.Status, record.Code));
    }

    [Theory]
    [InlineData(21, 10, "too_many_fields")]
    [InlineData(10, 500, "head_too_large")]
    public async Task A_head_over_a_limit_is_431(int fields, int valueLength, string code)
    {
        var request = new StringBuilder("GET / HTTP/1.1\r\nHost: a\r\n");
        for (var i = 0; i < fields; i++)
        {
            request.Append("X-").Append(i).Append(": ").Append('v', valueLength).Append("\r\n");
        }

        var reply = await SendAsync("ingress", request.Append("\r\n").ToString());

        Assert.StartsWith("HTTP/1.1 431 ", reply, StringComparison.Ordinal);
        Assert.Contains(code, reply, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pipelined_requests_are_answered_in_order()
    {
        var reply = await SendAsync("ingress", "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        var first = reply.IndexOf("GET /1", StringComparison.Ordinal);
        var second = reply.IndexOf("POST /2", StringComparison.Ordinal);
        var third = reply.IndexOf("GET /3", StringComparison.Ordinal);
        Assert.True(first >= 0 && first < second && second < third, reply);
    }

    [Fact]
    public async Task A_request_cut_anywhere_gives_the_same_answer()
    {
        const string request = "POST /x?y=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
        var whole = await SendAsync("ingress", request);
        for (var cut = 1; cut < request.Length; cut += 3)
        {
            Assert.Equal(whole, await SendAsync("ingress", request[..cut], request[cut..]));
        }
    }

    [Fact]
    public async Task Fields_that_connection_names_and_hop_by_hop_fields_stay_here()
    {
        var reply = await SendAsync("ingress", "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nX-Forwarded-For: 6.6.6.6\r\nTidegate-Consumer: root\r\nX-End: 2\r\n\r\n");

        Assert.Contains("X-End: 2", reply, StringComparison.Ordinal);
        Assert.Contains("Host: a.test", reply, StringComparison.Ordinal);
        Assert.Contains("X-Forwarded-For: 127.0.0.1", reply, StringComparison.Ordinal);
        Assert.DoesNotContain("X-Hop", reply, StringComparison.Ordinal);
        Assert.DoesNotContain("6.6.6.6", reply, StringComparison.Ordinal);
        Assert.DoesNotContain("Tidegate-Consumer", reply, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_base_url_call_and_a_proxy_call_reach_the_same_api()
    {
        var byBase = await SendAsync("egress", "GET /echo/v1?a=b HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n");
        var byProxy = await SendAsync("egress", "GET http://echo.test/v1?a=b HTTP/1.1\r\nHost: echo.test\r\nConnection: close\r\n\r\n");

        Assert.Contains("GET /v1?a=b HTTP/1.1", byBase, StringComparison.Ordinal);
        Assert.Contains("GET /v1?a=b HTTP/1.1", byProxy, StringComparison.Ordinal);
        Assert.All(await _gateway.RecordsAsync(2, Cancellation), record => Assert.Equal(("echo", Outcome.Forwarded), (record.Api, record.Outcome)));
    }

    [Fact]
    public async Task An_unlisted_host_is_refused_on_egress()
    {
        var reply = await SendAsync("egress", "GET http://other.test/ HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 403 ", reply, StringComparison.Ordinal);
        Assert.Contains("host_not_listed", reply, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tunnel_whose_first_bytes_are_not_tls_is_cut()
    {
        var reply = await SendAsync("egress", "CONNECT echo.test:443 HTTP/1.1\r\nHost: echo.test:443\r\n\r\n", "GET / HTTP/1.1\r\n\r\n");

        Assert.Equal("HTTP/1.1 200 OK\r\n\r\n", reply);
        var record = Assert.Single(await _gateway.RecordsAsync(1, Cancellation));
        Assert.Equal((Outcome.Failed, "tunnel_not_tls"), (record.Outcome, record.Code));
    }

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _stopping.CancelAsync();
        _upstream.Dispose();
        await _serving;
        _stopping.Dispose();
    }

    /// <summary>Sends pieces one after the other and reads to the end of the connection.</summary>
    private Task<string> SendAsync(string listener, params string[] pieces) => SendAsync(listener, false, pieces);

    private Task<string> SendAsync(string listener, string request, bool closeAfterwards) =>
        SendAsync(listener, false, closeAfterwards ? request.Replace("Host: a\r\n", "Host: a\r\nConnection: close\r\n", StringComparison.Ordinal) : request);

    private async Task<string> SendAsync(string listener, bool halfClose, params string[] pieces)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        timeout.CancelAfter(TimeSpan.FromSeconds(60));
        using var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(_gateway[listener], timeout.Token);
        var stream = client.GetStream();
        foreach (var piece in pieces)
        {
            await stream.WriteAsync(Encoding.Latin1.GetBytes(piece), timeout.Token);
            await Task.Delay(pieces.Length > 1 ? 5 : 0, timeout.Token);
        }

        if (halfClose)
        {
            client.Client.Shutdown(SocketShutdown.Send);
        }

        var reply = new StringBuilder();
        var buffer = new byte[8192];
        try
        {
            while (await stream.ReadAsync(buffer, timeout.Token) is > 0 and var read)
            {
                reply.Append(Encoding.Latin1.GetString(buffer, 0, read));
            }
        }
        catch (IOException) when (reply.Length > 0)
        {
            // A reset after the reply is an end like any other to these tests.
            return reply.ToString();
        }

        return reply.ToString();
    }

    /// <summary>An upstream that answers every request with its own head.</summary>
    private async Task ServeAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true)
            {
                connections.Add(EchoAsync(await _upstream.AcceptTcpClientAsync(_stopping.Token)));
            }
        }
        catch (Exception stopped) when (stopped is OperationCanceledException or SocketException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task EchoAsync(TcpClient client)
    {
        using (client)
        {
            var stream = client.GetStream();
            var buffer = new byte[16 * 1024];
            var text = "";
            try
            {
                while (await stream.ReadAsync(buffer, _stopping.Token) is > 0 and var read)
                {
                    text += Encoding.Latin1.GetString(buffer, 0, read);
                    var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
                    var isChunked = text.Contains("chunked", StringComparison.Ordinal);
                    if (end < 0 || (isChunked && !(text.Contains("\r\n0\r\n", StringComparison.Ordinal) && text.EndsWith("\r\n\r\n", StringComparison.Ordinal))))
                    {
                        continue;
                    }

                    var head = text[..end];
                    text = "";
                    await stream.WriteAsync(Encoding.Latin1.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {head.Length}\r\n\r\n{head}"), _stopping.Token);
                }
            }
            catch (Exception over) when (over is IOException or OperationCanceledException)
            {
                return;
            }
        }
    }
}
