using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Tidegate.Edge.Interception;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Wire;

/// <summary>A message that was cut short, or whose framing is doubtful, is never passed on as complete, in neither direction and over no protocol.</summary>
public sealed class CutShortTests : IDisposable
{
    private readonly TestCertificates _certificates = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string> CutAnswers => new()
    {
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nha",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\nmore\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalfXX0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\n",
        "",
    };

    [Theory]
    [MemberData(nameof(CutAnswers))]
    public async Task A_cut_answer_is_never_complete_over_http11(string answer)
    {
        await using var upstream = new RawUpstream(answer, close: true);
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");

        Assert.True(await IsBrokenAsync(client), answer);
        await RecordedAsFailedAsync(gateway);
    }

    [Theory]
    [MemberData(nameof(CutAnswers))]
    public async Task A_cut_answer_is_never_complete_over_http10(string answer)
    {
        await using var upstream = new RawUpstream(answer, close: true);
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("GET / HTTP/1.0\r\nHost: a\r\n\r\n");

        Assert.True(await IsBrokenAsync(client), answer);
        await RecordedAsFailedAsync(gateway);
    }

    [Theory]
    [MemberData(nameof(CutAnswers))]
    public async Task A_cut_answer_is_never_complete_over_http2(string answer)
    {
        await using var upstream = new RawUpstream(answer, close: true);
        await using var gateway = await StartAsync(upstream);
        using var connection = await RawHttp2.ConnectAsync(gateway["ingress"], Cancellation);
        await connection.SendHeadersAsync(1, RawHttp2.Request("GET", "a", "/"));

        var seen = await connection.ReadAnswerAsync(1);

        Assert.True(seen.Status == "502" || seen.End == "RST_STREAM", seen.ToString());
        await RecordedAsFailedAsync(gateway);
    }

    [Theory]
    [MemberData(nameof(CutAnswers))]
    public async Task A_cut_answer_is_never_complete_inside_interception(string answer)
    {
        await using var upstream = new RawUpstream(answer, close: true);
        await using var gateway = await StartAsync(upstream);
        await using (var tunnel = await TunnelAsync(gateway, SslApplicationProtocol.Http11))
        {
            await tunnel.WriteAsync("GET / HTTP/1.1\r\nHost: api.test\r\n\r\n"u8.ToArray(), Cancellation);
            var seen = await ReadToEndAsync(tunnel);
            Assert.True(seen.Length == 0 || IsProblem(seen) || !IsComplete(seen), seen);
        }

        using var inside = await RawHttp2.OverAsync(await TunnelAsync(gateway, SslApplicationProtocol.Http2), Cancellation);
        await inside.SendHeadersAsync(1, RawHttp2.Request("GET", "api.test", "/", "https"));
        var second = await inside.ReadAnswerAsync(1);
        Assert.True(second.Status == "502" || second.End == "RST_STREAM", second.ToString());
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello!")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")]
    public async Task An_answer_whose_length_is_doubtful_is_502_or_broken(string answer)
    {
        await using var upstream = new RawUpstream(answer, close: true);
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");

        Assert.True(await IsBrokenAsync(client), answer);
        await RecordedAsFailedAsync(gateway);
    }

    [Theory]
    [InlineData("Content-Length: 10\r\n")]
    [InlineData("Content-Length: 100000\r\n")]
    public async Task An_upstream_that_breaks_before_the_first_byte_of_its_content_is_502_and_not_a_broken_answer(string fields)
    {
        await using var upstream = new RawUpstream(async request =>
        {
            await request.SendAsync("HTTP/1.1 200 OK\r\n" + fields + "\r\n");
            request.Close = true;
        });
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");

        var answer = await client.ReadAnswerAsync();
        Assert.Equal(502, answer.Status);
        Assert.Contains("response_truncated", answer.Content, StringComparison.Ordinal);
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal((Outcome.Failed, 502, "response_truncated"), (record.Outcome, record.Status, record.Code));
    }

    [Fact]
    public async Task What_an_upstream_sends_behind_its_answer_never_answers_another_request()
    {
        var count = 0;
        await using var upstream = new RawUpstream(request => request.SendAsync(Interlocked.Increment(ref count) == 1
            ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + "okHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
            : "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"));
        await using var gateway = await StartAsync(upstream);
        using var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        var answers = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            answers.Add((await client.ReadAnswerAsync()).Content);
            await Task.Delay(30, Cancellation);
        }

        Assert.Equal(["ok", "good", "good"], answers);
    }

    [Theory]
    [InlineData("Content-Length: 10\r\n\r\nhalf", "close")]
    [InlineData("Content-Length: 10\r\n\r\nhalf", "reset")]
    [InlineData("Content-Length: 10\r\n\r\n", "close")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "close")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "reset")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n4\r\nha", "close")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n", "close")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n", "stay")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nbad trailer\r\n\r\n", "stay")]
    public async Task Cut_content_never_reaches_the_upstream_whole_over_http11(string rest, string end)
    {
        await using var upstream = Consume();
        await using var gateway = await StartAsync(upstream);
        var client = await RawClient.ConnectAsync(gateway["ingress"], Cancellation);
        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\n" + rest);
        await ArrivedAsync(gateway, upstream);
        EndAs(client, end);

        await NeverWholeAsync(gateway, upstream);
        client.Dispose();
    }

    [Theory]
    [InlineData(null, "reset")]
    [InlineData("10", "reset")]
    [InlineData(null, "close")]
    [InlineData("10", "close")]
    [InlineData("10", "end")]
    [InlineData("2", "end")]
    public async Task Cut_content_never_reaches_the_upstream_whole_over_http2(string? length, string end)
    {
        await using var upstream = Consume();
        await using var gateway = await StartAsync(upstream);
        using var connection = await RawHttp2.ConnectAsync(gateway["ingress"], Cancellation);

        await CutAsync(gateway, connection, upstream, "a", "http", length, end);

        await NeverWholeAsync(gateway, upstream);
    }

    [Theory]
    [InlineData(null, "reset")]
    [InlineData("10", "close")]
    [InlineData("10", "end")]
    public async Task Cut_content_never_reaches_the_upstream_whole_over_http2_inside_interception(string? length, string end)
    {
        await using var upstream = Consume();
        await using var gateway = await StartAsync(upstream);
        using var connection = await RawHttp2.OverAsync(await TunnelAsync(gateway, SslApplicationProtocol.Http2), Cancellation);

        await CutAsync(gateway, connection, upstream, "api.test", "https", length, end);

        await NeverWholeAsync(gateway, upstream);
    }

    [Theory]
    [InlineData("Content-Length: 10\r\n\r\nhalf", "close_notify")]
    [InlineData("Content-Length: 10\r\n\r\nhalf", "close")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "close_notify")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "close")]
    public async Task Cut_content_never_reaches_the_upstream_whole_over_http11_inside_interception(string rest, string end)
    {
        await using var upstream = Consume();
        await using var gateway = await StartAsync(upstream);
        await using (var tunnel = await TunnelAsync(gateway, SslApplicationProtocol.Http11))
        {
            await tunnel.WriteAsync(Encoding.Latin1.GetBytes("POST / HTTP/1.1\r\nHost: api.test\r\n" + rest), Cancellation);
            await ArrivedAsync(gateway, upstream);
            if (end == "close_notify")
            {
                await tunnel.ShutdownAsync();
            }
        }

        await NeverWholeAsync(gateway, upstream);
    }

    public void Dispose() => _certificates.Dispose();

    private static RawUpstream Consume() => new(async request =>
    {
        if (await request.ReadContentAsync())
        {
            await request.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });

    private static async Task CutAsync(TestGateway gateway, RawHttp2 connection, RawUpstream upstream, string authority, string scheme, string? length, string end)
    {
        (string, string)[] lengthField = length is null ? [] : [("content-length", length)];
        await connection.SendHeadersAsync(1, [.. RawHttp2.Request("POST", authority, "/", scheme), .. lengthField], endStream: false);
        await connection.SendDataAsync(1, "half", endStream: end == "end");
        if (end != "end")
        {
            await ArrivedAsync(gateway, upstream);
        }

        if (end == "reset")
        {
            await connection.ResetAsync(1);
        }
        else if (end == "close")
        {
            connection.Dispose();
        }
    }

    private static void EndAs(RawClient client, string end)
    {
        if (end == "reset")
        {
            client.Reset();
        }
        else if (end == "close")
        {
            client.HalfClose();
        }
    }

    /// <summary>The request's head has come to the upstream, so that what follows happens in its midst; or at least to the gateway, where that waits for content.</summary>
    private static async Task ArrivedAsync(TestGateway gateway, RawUpstream upstream)
    {
        using var client = new HttpClient();
        await Eventually.HoldsAsync(async () => !upstream.Requests.IsEmpty || await HasBegunAsync(), "The request did not come.", Cancellation);
        for (var tries = 0; upstream.Requests.IsEmpty && tries < 50; tries++)
        {
            await Task.Delay(10, Cancellation);
        }

        async Task<bool> HasBegunAsync()
        {
            // A CONNECT is in flight from before it.
            var scrape = new PrometheusScrape(await client.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation));
            return scrape.Sum("tidegate_exchanges_in_flight", "direction=\"ingress\"") + scrape.Sum("tidegate_exchanges_total") > 0;
        }
    }

    private static async Task NeverWholeAsync(TestGateway gateway, RawUpstream upstream)
    {
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.NotEqual(Outcome.Forwarded, record.Outcome);
        foreach (var request in upstream.Requests)
        {
            Assert.False(await request.ContentIsWhole.WaitAsync(TimeSpan.FromSeconds(60), Cancellation), request.Head + request.Content);
        }
    }

    private static async Task RecordedAsFailedAsync(TestGateway gateway)
    {
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal(Outcome.Failed, record.Outcome);
        Assert.True(record.Code is "response_truncated" or "response_malformed" or "request_failed", record.Code);
    }

    /// <summary>The client got a problem, or no complete answer, and the connection did not end as a close-delimited answer would.</summary>
    private static async Task<bool> IsBrokenAsync(RawClient client)
    {
        try
        {
            var answer = await client.ReadAnswerAsync();
            return answer.Status == 502 || (client.WasReset && answer.Field("Content-Length") is null && answer.Field("Transfer-Encoding") is null);
        }
        catch (EndOfStreamException)
        {
            return true;
        }
    }

    private static bool IsProblem(string answer) => answer.StartsWith("HTTP/1.1 502 ", StringComparison.Ordinal);

    private static bool IsComplete(string answer) =>
        answer.EndsWith("\r\n0\r\n\r\n", StringComparison.Ordinal) || (!answer.Contains("chunked", StringComparison.Ordinal) && !answer.Contains("Content-Length: 10", StringComparison.Ordinal));

    private async Task<SslStream> TunnelAsync(TestGateway gateway, SslApplicationProtocol protocol)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(gateway["egress"], Cancellation);
        var stream = new NetworkStream(socket, ownsSocket: true);
        await stream.WriteAsync("CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n"u8.ToArray(), Cancellation);
        var head = new byte["HTTP/1.1 200 OK\r\n\r\n".Length];
        await stream.ReadExactlyAsync(head, Cancellation);
        Assert.Equal("HTTP/1.1 200 OK\r\n\r\n", Encoding.Latin1.GetString(head));
        var inside = new SslStream(stream, leaveInnerStreamOpen: false);
        await inside.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions { TargetHost = "api.test", ApplicationProtocols = [protocol], RemoteCertificateValidationCallback = static (_, _, _, _) => true },
            Cancellation);
        Assert.Equal(protocol, inside.NegotiatedApplicationProtocol);
        return inside;
    }

    private static async Task<string> ReadToEndAsync(SslStream stream)
    {
        var text = new StringBuilder();
        var buffer = new byte[4096];
        try
        {
            while (await stream.ReadAsync(buffer, Cancellation).AsTask().WaitAsync(TimeSpan.FromSeconds(60), Cancellation) is > 0 and var read)
            {
                text.Append(Encoding.Latin1.GetString(buffer, 0, read));
                if (IsProblem(text.ToString()) && text.ToString().EndsWith('}'))
                {
                    break;
                }
            }
        }
        catch (IOException)
        {
            // A reset: what came is all.
            return text.ToString();
        }

        return text.ToString();
    }

    private Task<TestGateway> StartAsync(RawUpstream upstream)
    {
        var files = CertificateAuthority.In(_certificates.Directory);
        if (!File.Exists(files.Certificate))
        {
            CertificateAuthority.Create(files, TimeProvider.System).Dispose();
        }

        return TestGateway.StartAsync($$"""
            state_directory: {{_certificates.Directory}}
            listeners: { ingress: { address: 127.0.0.1:0 }, egress: { address: 127.0.0.1:0, intercept: true } }
            apis:
              - { name: all, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }
              - { name: api, direction: egress, hosts: [api.test], upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }
            """, Cancellation);
    }
}
