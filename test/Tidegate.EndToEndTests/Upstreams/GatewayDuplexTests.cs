using System.Net.Sockets;
using System.Text;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Upstreams;

/// <summary>Our own upstream client inside a whole gateway: much content both ways, and clients that leave at any moment.</summary>
public sealed class GatewayDuplexTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private const long Total = 64L * 1024 * 1024;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Sixty_four_megabytes_come_back_over_HTTP_1_1_while_they_are_still_being_sent(bool isChunked)
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Http2Tests.Ingress(upstream.Port), Cancellation);
        using var client = await ConnectAsync(gateway);
        var stream = client.GetStream();
        var sending = Task.Run(async () =>
        {
            await stream.WriteAsync(Encoding.Latin1.GetBytes($"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{(isChunked ? "Transfer-Encoding: chunked" : $"Content-Length: {Total}")}\r\n\r\n"), Cancellation);
            var piece = new byte[32 * 1024];
            for (long sent = 0; sent < Total; sent += piece.Length)
            {
                PatternContent.Fill(piece, sent);
                await stream.WriteAsync(isChunked ? "8000\r\n"u8.ToArray() : [], Cancellation);
                await stream.WriteAsync(piece, Cancellation);
                await stream.WriteAsync(isChunked ? "\r\n"u8.ToArray() : [], Cancellation);
            }

            await stream.WriteAsync(isChunked ? "0\r\n\r\n"u8.ToArray() : [], Cancellation);
        }, Cancellation);

        using var answer = new MemoryStream();
        await stream.CopyToAsync(answer, Cancellation);
        await sending;

        var received = answer.GetBuffer().AsSpan(0, (int)answer.Length);
        var content = received[(received.IndexOf("\r\n\r\n"u8) + 4)..];
        AssertPattern(isChunked ? Unchunk(content) : content);
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal((Total, Total, 1), (record.RequestBytes, record.ResponseBytes, record.Attempts));
    }

    [Fact]
    public async Task Sixty_four_megabytes_come_back_over_HTTP_2_while_they_are_still_being_sent()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Http2Tests.Ingress(upstream.Port), Cancellation);
        using var client = new HttpClient { Timeout = TimeSpan.FromMinutes(2) };
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://{gateway["ingress"]}/echo")
        {
            Version = System.Net.HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new PatternContent(Total),
        };

        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        await using var answer = await response.Content.ReadAsStreamAsync(Cancellation);
        using var received = new MemoryStream();
        await answer.CopyToAsync(received, Cancellation);

        AssertPattern(received.GetBuffer().AsSpan(0, (int)received.Length));
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal((Total, Total, 1), (record.RequestBytes, record.ResponseBytes, record.Attempts));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("sockets_http_handler")]
    public async Task Request_trailers_and_interim_answers_pass_where_the_client_speaks_HTTP_1_1(string? upstreamClient)
    {
        string? request = null;
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            request = await connection.ReadRequestAsync();
            await connection.WriteAsync("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        });
        await using var gateway = await TestGateway.StartAsync(Http2Tests.Ingress(upstream.Port), Cancellation, upstreamClient: upstreamClient);
        using var client = new TcpClient();
        await client.ConnectAsync(gateway["ingress"], Cancellation);
        var stream = client.GetStream();
        await stream.WriteAsync("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Checksum: 42\r\n\r\n"u8.ToArray(), Cancellation);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        var reply = await reader.ReadToEndAsync(Cancellation);

        Assert.EndsWith("ok", reply, StringComparison.Ordinal);
        var isOwn = upstreamClient is null;
        Assert.StartsWith(isOwn ? "HTTP/1.1 103 \r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n" : "HTTP/1.1 200 OK\r\n", reply, StringComparison.Ordinal);
        Assert.EndsWith(isOwn ? "0\r\nX-Checksum: 42\r\n\r\n" : "0\r\n\r\n", request, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Twenty_thousand_exchanges_with_aborts_at_any_moment_leave_no_connection_behind()
    {
        const int clients = 20;
        const int each = 1_000;
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Http2Tests.Ingress(upstream.Port), Cancellation);
        var answered = 0;

        await Task.WhenAll(Enumerable.Range(0, clients).Select(seed => Task.Run(async () =>
        {
            var random = new Random(seed);
            TcpClient? client = null;
            for (var i = 0; i < each; i++)
            {
                client ??= await ConnectAsync(gateway);
                if (await TryExchangeAsync(client, random))
                {
                    Interlocked.Increment(ref answered);
                }
                else
                {
                    client.Dispose();
                    client = null;
                }
            }

            client?.Dispose();
        }, Cancellation)));

        Assert.InRange(answered, clients * each / 2, clients * each);
        var began = TimeProvider.System.GetTimestamp();
        while (gateway.UpstreamPools.Any(pool => pool.Open != pool.Idle || pool.Waiting != 0))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(60), string.Join('\n', gateway.UpstreamPools));
            await Task.Delay(20, Cancellation);
        }

        Assert.InRange(Assert.Single(gateway.UpstreamPools).Open, 1, clients * 2);
    }

    private static async Task<TcpClient> ConnectAsync(TestGateway gateway)
    {
        var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(gateway["ingress"], Cancellation);
        return client;
    }

    /// <summary>One exchange, or a part of one. False when the connection is of no more use.</summary>
    private static async Task<bool> TryExchangeAsync(TcpClient client, Random random)
    {
        var stream = client.GetStream();
        var kind = random.Next(40);
        var content = new string('a', random.Next(3_000));
        switch (kind)
        {
            case 0:
                // Leaves within the request's content.
                await stream.WriteAsync(Encoding.Latin1.GetBytes($"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {content.Length + 10}\r\n\r\n{content}"), Cancellation);
                return false;
            case 1:
                // Leaves before the answer.
                await stream.WriteAsync("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"u8.ToArray(), Cancellation);
                await Task.Delay(random.Next(5), Cancellation);
                return false;
            case 2:
                // Leaves within the answer.
                await stream.WriteAsync("GET /large HTTP/1.1\r\nHost: a\r\n\r\n"u8.ToArray(), Cancellation);
                await stream.ReadExactlyAsync(new byte[random.Next(1, 20_000)], Cancellation);
                return false;
            case 3:
                // Malformed content.
                await stream.WriteAsync("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nxyz\r\n"u8.ToArray(), Cancellation);
                return false;
            default:
                await stream.WriteAsync(Encoding.Latin1.GetBytes(kind % 2 == 0
                    ? $"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {content.Length}\r\n\r\n{content}"
                    : "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n"), Cancellation);
                return await ReadAnswerAsync(stream, kind % 2 == 0 ? content.Length : null);
        }
    }

    private static async Task<bool> ReadAnswerAsync(NetworkStream stream, int? length)
    {
        var buffer = new byte[8_192];
        var text = new StringBuilder();
        while (true)
        {
            var read = await stream.ReadAsync(buffer, Cancellation);
            Assert.NotEqual(0, read);
            text.Append(Encoding.Latin1.GetString(buffer, 0, read));
            var answer = text.ToString();
            var end = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (end >= 0 && (length is { } expected ? answer.Length == end + 4 + expected : answer.EndsWith("0\r\n\r\n", StringComparison.Ordinal)))
            {
                Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
                return true;
            }
        }
    }

    private static void AssertPattern(ReadOnlySpan<byte> content)
    {
        Assert.Equal(Total, content.Length);
        for (var i = 0; i < content.Length; i++)
        {
            if (content[i] != PatternContent.At(i))
            {
                Assert.Fail($"The byte at {i} is another.");
            }
        }
    }

    private static byte[] Unchunk(ReadOnlySpan<byte> content)
    {
        var bytes = new List<byte>((int)Total);
        while (true)
        {
            var line = content.IndexOf("\r\n"u8);
            var size = Convert.ToInt32(Encoding.Latin1.GetString(content[..line]), 16);
            if (size == 0)
            {
                return [.. bytes];
            }

            bytes.AddRange(content.Slice(line + 2, size));
            content = content[(line + 2 + size + 2)..];
        }
    }

    /// <summary>Bytes that tell where they stand.</summary>
    private sealed class PatternContent(long length) : HttpContent
    {
        public static byte At(long position) => (byte)((position >> 16) ^ (position >> 8) ^ position);

        public static void Fill(Span<byte> piece, long position)
        {
            for (var i = 0; i < piece.Length; i++)
            {
                piece[i] = At(position + i);
            }
        }

        protected override async Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context)
        {
            var piece = new byte[32 * 1024];
            for (long sent = 0; sent < length; sent += piece.Length)
            {
                Fill(piece, sent);
                await stream.WriteAsync(piece);
            }
        }

        protected override bool TryComputeLength(out long announced)
        {
            announced = 0;
            return false;
        }
    }
}
