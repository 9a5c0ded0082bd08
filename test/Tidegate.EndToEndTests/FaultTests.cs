using System.Net;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>
/// What a provider does wrong, and what a caller gets through an API with retries. The first connections misbehave as scripted, all later ones answer 200: whoever
/// attempts again gets it.
/// </summary>
public sealed class FaultTests
{
    private const string Good = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("429 with Retry-After", "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", "429", 0.95)]
    [InlineData("429 bare", "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", "429", 0)]
    [InlineData("503 once", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy", "503", 0)]
    [InlineData("502 chunked", "HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n", "502", 0)]
    [InlineData("closes without a word", "", "request_failed", 0)]
    [InlineData("half a head", "HTTP/1.1 200 OK\r\nConte", "request_failed", 0)]
    [InlineData("no HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "response_malformed", 0)]
    [InlineData("103 then nothing", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "request_failed", 0)]
    [InlineData("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\ngood", "response_malformed", 0)]
    public async Task Trouble_before_an_answer_is_mended(string fault, string bytes, string cause, double leastSeconds)
    {
        Assert.NotEmpty(fault);
        await using var provider = Provider(faults: 1, async connection => await connection.WriteAsync(bytes));
        await using var gateway = await StartAsync(provider.Port);
        using var client = new HttpClient();
        var started = TimeProvider.System.GetTimestamp();

        Assert.Equal("good", await client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));

        Assert.True(TimeProvider.System.GetElapsedTime(started).TotalSeconds >= leastSeconds);
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal((200, Outcome.Forwarded), (record.Status, record.Outcome));

        // One more where the connection of a whole answer was kept and met its end when it was used again.
        Assert.InRange(record.Attempts, 2, 3);
        Assert.Equal((cause, ""), (Assert.Single(record.Retries).Cause, record.Retries[0].Stopped));
    }

    [Fact]
    public async Task Silence_ends_with_the_time_for_an_answer_and_is_mended()
    {
        await using var provider = Provider(faults: 1, connection => connection.WaitForEndAsync());
        await using var gateway = await StartAsync(provider.Port, answersWithin: "2s");
        using var client = new HttpClient();

        Assert.Equal("good", await client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));

        // More than one where the machine holds up the good answer too.
        var retries = (await gateway.RecordsAsync(1, Cancellation))[0].Retries;
        Assert.NotEmpty(retries);
        Assert.All(retries, retry => Assert.Equal("response_headers_timeout", retry.Cause));
    }

    [Fact]
    public async Task A_connection_that_is_reset_is_mended()
    {
        await using var provider = Provider(faults: 1, connection =>
        {
            // A FIN says goodbye; without lingering it is a RST.
            connection.Socket.LingerState = new System.Net.Sockets.LingerOption(enable: true, seconds: 0);
            connection.Socket.Close();
            return Task.CompletedTask;
        });
        await using var gateway = await StartAsync(provider.Port);
        using var client = new HttpClient();

        Assert.Equal("good", await client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));
        Assert.Equal("request_failed", Assert.Single((await gateway.RecordsAsync(1, Cancellation))[0].Retries).Cause);
    }

    [Fact]
    public async Task An_answer_that_begins_slowly_but_in_time_is_the_answer()
    {
        await using var provider = Provider(faults: 1, async connection =>
        {
            await Task.Delay(100, Cancellation);
            await connection.WriteAsync("HTTP/1.1 200 OK\r\n");
            await Task.Delay(50, Cancellation);
            await connection.WriteAsync("Content-Length: 4\r\n\r\nslow");
        });
        await using var gateway = await StartAsync(provider.Port);
        using var client = new HttpClient();

        Assert.Equal("slow", await client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal((1, 0), (record.Attempts, record.Retries.Count));
    }

    [Fact]
    public async Task A_provider_that_flaps_is_mended_as_far_as_its_successes_pay_and_never_gets_twice_the_work()
    {
        const int Calls = 20;
        var (seen, received) = (0, 0);
        await using var provider = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is not null)
            {
                Interlocked.Increment(ref received);
                await connection.WriteAsync(Interlocked.Increment(ref seen) % 2 == 1 ? "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n" : Good);
            }
        });
        await using var gateway = await StartAsync(provider.Port);
        using var client = new HttpClient();
        var good = 0;
        for (var i = 0; i < Calls; i++)
        {
            var answer = await client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation);
            Assert.True(answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.ServiceUnavailable);
            good += answer.StatusCode == HttpStatusCode.OK ? 1 : 0;
        }

        // Every second request is refused: without retries it would be every second call.
        Assert.InRange(good, (Calls / 2) + 5, Calls);
        Assert.InRange(received, Calls, 2 * Calls);
    }

    [Fact]
    public async Task A_tls_handshake_that_hangs_costs_the_time_to_connect_and_the_next_destination_answers()
    {
        using var silent = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        await using var provider = Provider(faults: 0, _ => Task.CompletedTask);
        await using var gateway = await TestGateway.StartAsync(
            $$"""
            listeners: { egress: { address: 127.0.0.1:0 } }
            apis:
              - name: provider
                direction: egress
                hosts: [provider.test]
                base_path: /provider
                timeouts: { connect: 2s }
                upstream: { destinations: ["https://127.0.0.1:{{((IPEndPoint)silent.LocalEndpoint).Port}}", "http://127.0.0.1:{{provider.Port}}"], balance: ordered }
                retry: { backoff: { base: 10ms } }
            """,
            Cancellation);
        using var client = new HttpClient();

        Assert.Equal("good", await client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));
        Assert.Equal("connect_timeout", Assert.Single((await gateway.RecordsAsync(1, Cancellation))[0].Retries).Cause);
    }

    [Fact]
    public async Task A_name_that_does_not_exist_costs_nothing_where_there_is_another_destination_and_is_told_where_there_is_none()
    {
        await using var provider = Provider(faults: 0, _ => Task.CompletedTask);
        await using var gateway = await TestGateway.StartAsync(
            $$"""
            listeners: { egress: { address: 127.0.0.1:0 } }
            apis:
              - name: two
                direction: egress
                hosts: [two.test]
                base_path: /two
                upstream: { destinations: ["http://nowhere.invalid", "http://127.0.0.1:{{provider.Port}}"], balance: ordered }
                retry: { backoff: { base: 10ms } }
              - name: one
                direction: egress
                hosts: [one.test]
                base_path: /one
                upstream: { destinations: ["http://nowhere.invalid"] }
                retry: { backoff: { base: 10ms, max: 20ms } }
            """,
            Cancellation);
        using var client = new HttpClient();

        Assert.Equal("good", await client.GetStringAsync($"http://{gateway["egress"]}/two/", Cancellation));
        Assert.Equal(HttpStatusCode.BadGateway, (await client.GetAsync($"http://{gateway["egress"]}/one/", Cancellation)).StatusCode);
        var records = await gateway.RecordsAsync(2, Cancellation);
        Assert.Equal("dns_failed", Assert.Single(records[0].Retries).Cause);
        Assert.Equal("dns_failed", records[1].Code);
        Assert.Equal("attempts", records[1].Retries[^1].Stopped);
    }

    [Fact]
    public async Task What_is_sent_beyond_the_announced_length_is_nobodys_answer()
    {
        await using var provider = Provider(faults: 1, async connection =>
        {
            await connection.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfairHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
            await connection.WaitForEndAsync();
        });
        await using var gateway = await StartAsync(provider.Port);
        using var client = new HttpClient();

        Assert.Equal("fair", await client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));
        Assert.Equal("good", await client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));
    }

    [Theory]
    [InlineData("cut", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "response_truncated")]
    [InlineData("malformed chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nxyz\r\n", "response_malformed")]
    [InlineData("missing end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "response_truncated")]
    public async Task An_answer_that_breaks_ends_abnormally_and_is_never_spliced(string fault, string bytes, string code)
    {
        Assert.NotEmpty(fault);
        await using var provider = Provider(faults: 1, async connection => await connection.WriteAsync(bytes));
        await using var gateway = await StartAsync(provider.Port);
        using var client = new HttpClient();

        // The runtime's sockets may drop a head that is still on its way when a connection is ended abnormally.
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));

        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal((Outcome.Failed, code, 1), (record.Outcome, record.Code, record.Attempts));
        Assert.Equal(1, provider.Accepted);
    }

    [Fact]
    public async Task A_stream_that_stalls_ends_abnormally_after_the_idle_time()
    {
        await using var provider = Provider(faults: 1, async connection =>
        {
            await connection.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
            await connection.WaitForEndAsync();
        });
        await using var gateway = await StartAsync(provider.Port, silenceEndsAfter: "2s");
        using var client = new HttpClient();
        using var answer = await client.GetAsync($"http://{gateway["egress"]}/provider/", HttpCompletionOption.ResponseHeadersRead, Cancellation);

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => answer.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal((Outcome.Failed, "idle_timeout"), ((await gateway.RecordsAsync(1, Cancellation))[0].Outcome, (await gateway.RecordsAsync(1, Cancellation))[0].Code));
    }

    [Theory]
    [InlineData(400)]
    [InlineData(401)]
    [InlineData(404)]
    [InlineData(422)]
    [InlineData(501)]
    public async Task An_answer_that_would_be_the_same_again_is_passed_on(int status)
    {
        await using var provider = Provider(faults: 9, async connection => await connection.WriteAsync($"HTTP/1.1 {status} No\r\nContent-Length: 2\r\n\r\nno"));
        await using var gateway = await StartAsync(provider.Port);
        using var client = new HttpClient();

        Assert.Equal(status, (int)(await client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation)).StatusCode);
        Assert.Equal(1, provider.Accepted);
    }

    [Theory]
    [InlineData("GET", null, 1, 200, 2)]
    [InlineData("POST", "k-1", 1, 200, 2)]
    [InlineData("POST", null, 1, 500, 1)]
    [InlineData("GET", null, 9, 500, 2)]
    public async Task A_500_is_asked_about_once_more_where_that_is_harmless(string method, string? key, int faults, int status, int asked)
    {
        await using var provider = Provider(faults, async connection => await connection.WriteAsync("HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"));
        await using var gateway = await StartAsync(provider.Port);
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(new HttpMethod(method), $"http://{gateway["egress"]}/provider/") { Content = method == "POST" ? new StringContent("pay") : null };
        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        using var answer = await client.SendAsync(request, Cancellation);

        Assert.Equal((status, asked), ((int)answer.StatusCode, provider.Accepted));
        Assert.Equal(asked, (await gateway.RecordsAsync(1, Cancellation))[0].Attempts);
    }

    [Fact]
    public async Task A_post_that_may_have_been_done_is_not_done_again_and_one_with_a_key_is()
    {
        var bodies = new List<string>();
        await using var provider = Provider(faults: 2, _ => Task.CompletedTask, bodies);
        await using var gateway = await StartAsync(provider.Port);
        using var client = new HttpClient();

        var answer = await client.PostAsync($"http://{gateway["egress"]}/provider/", new StringContent("pay"), Cancellation);
        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);

        using var keyed = new HttpRequestMessage(HttpMethod.Post, $"http://{gateway["egress"]}/provider/") { Content = new StringContent("pay"), Headers = { { "Idempotency-Key", "k-1" } } };
        Assert.Equal(HttpStatusCode.OK, (await client.SendAsync(keyed, Cancellation)).StatusCode);
        Assert.Equal(2, bodies.Count(body => body.EndsWith("pay", StringComparison.Ordinal) && body.Contains("k-1", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_provider_that_cannot_be_reached_is_told_at_once_by_the_circuit_and_found_again_when_it_is_back()
    {
        var port = TestPorts.Free();
        await using var gateway = await StartAsync(port, "circuit_breaker: { minimum: 3, open_for: 3s }");
        using var client = new HttpClient();
        Assert.Equal(HttpStatusCode.BadGateway, (await client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation)).StatusCode);
        var refused = await client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 3);
        Assert.Contains("circuit_open", await refused.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);

        await using var back = new EchoOnPort(port);
        await Task.Delay(3_100, Cancellation);
        Assert.Equal("good", await client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));
        var records = await gateway.RecordsAsync(3, Cancellation);
        Assert.Equal(["connect_failed", "circuit_open", ""], records.Select(record => record.Code));
    }

    [Fact]
    public async Task A_large_upload_is_sent_again_from_the_disk_and_nothing_stays_there()
    {
        var state = Directory.CreateTempSubdirectory("tidegate-state");
        try
        {
            var content = new byte[300_000];
            new Random(3).NextBytes(content);
            var asked = 0;
            await using var refusing = new ScriptedUpstream(async connection =>
            {
                while (await connection.ReadRequestAsync() is { } request)
                {
                    await connection.WriteAsync(Interlocked.Increment(ref asked) == 1
                        ? "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
                        : $"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n{Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.Latin1.GetBytes(request[(request.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..])))}");
                }
            });
            await using var gateway = await TestGateway.StartAsync($"state_directory: {state.FullName}\n" + Plain(refusing.Port, "retry: { backoff: { base: 1ms }, spill: 8MB }"), Cancellation);
            using var client = new HttpClient();
            using var body = new ByteArrayContent(content);
            var answer = await client.PutAsync($"http://{gateway["egress"]}/provider/", body, Cancellation);

            Assert.Equal(Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(content)), await answer.Content.ReadAsStringAsync(Cancellation));
            Assert.Equal(2, asked);
            Assert.Empty(Directory.GetFiles(Path.Combine(state.FullName, "spill")));
        }
        finally
        {
            state.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_provider_that_refuses_everything_is_soon_spared_and_the_record_says_so()
    {
        await using var upstream = ScriptedUpstream.Answering("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
        await using var gateway = await TestGateway.StartAsync(Plain(upstream.Port, "adaptive_throttle: {}"), Cancellation);
        using var client = new HttpClient();
        var codes = new List<string>();
        var began = TimeProvider.System.GetTimestamp();
        for (var i = 0; i < 60; i++)
        {
            using var answer = await client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
            codes.Add((await answer.Content.ReadAsStringAsync(Cancellation)).Contains("throttled_adaptively", StringComparison.Ordinal) ? "here" : "there");
        }


        // One of the sum of 1/n, about five, and one in each second.
        var seconds = (int)TimeProvider.System.GetElapsedTime(began).TotalSeconds;
        Assert.InRange(codes.Count(code => code == "there"), 1, 30 + seconds);
        var records = await gateway.RecordsAsync(60, Cancellation);
        Assert.Equal(codes.Count(code => code == "here"), records.Count(record => record is { Reason: "adaptive_throttle", Code: "throttled_adaptively", Attempts: 0 }));
    }

    [Fact]
    public async Task No_more_are_in_flight_than_the_upstream_can_work_on_and_a_place_comes_back()
    {
        var answers = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is not null)
            {
                await answers.Task;
                await connection.WriteAsync(Good);
            }
        });
        await using var gateway = await TestGateway.StartAsync(Plain(upstream.Port, "adaptive_concurrency: { min: 2, max: 2 }"), Cancellation);
        using var client = new HttpClient();
        var calls = Enumerable.Range(0, 5).Select(_ => client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation)).ToList();
        for (var refused = 0; refused < 3; refused++)
        {
            var first = await Task.WhenAny(calls);
            calls.Remove(first);
            Assert.Contains("limited_adaptively", await (await first).Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        }

        answers.SetResult();
        Assert.All(await Task.WhenAll(calls), answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));

        // A client has the last byte before the gateway is done with its exchange.
        await gateway.RecordsAsync(5, Cancellation);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation)).StatusCode);
    }

    [Theory]
    [InlineData("round_robin")]
    [InlineData("ordered")]
    public async Task A_destination_that_is_gone_costs_no_call_and_is_soon_left_out(string balance)
    {
        const int Calls = 40;
        var gone = TestPorts.Free();
        await using var alive = ScriptedUpstream.Answering(Good);
        await using var gateway = await TestGateway.StartAsync(
            $$"""
            listeners: { ingress: { address: 127.0.0.1:0 } }
            apis:
              - name: ours
                direction: ingress
                upstream: { destinations: [http://127.0.0.1:{{gone}}, http://127.0.0.1:{{alive.Port}}], balance: {{balance}}, ejection: { for: 10m } }
                retry: { backoff: { base: 1ms } }
            """,
            Cancellation);
        using var client = new HttpClient();
        for (var i = 0; i < Calls; i++)
        {
            Assert.Equal("good", await client.GetStringAsync($"http://{gateway["ingress"]}/", Cancellation));
        }

        var records = await gateway.RecordsAsync(Calls, Cancellation);
        Assert.Equal(5, records.Count(record => record.Attempts == 2));
        Assert.All(records.TakeLast(20), record => Assert.Equal(1, record.Attempts));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(600)]
    public async Task While_everything_fails_the_provider_gets_hardly_more_than_its_callers_send(int healthyBefore)
    {
        const int Calls = 400;
        var (received, isDown) = (0, healthyBefore == 0);
        await using var provider = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is not null)
            {
                Interlocked.Increment(ref received);
                await connection.WriteAsync(Volatile.Read(ref isDown) ? "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n" : Good);
            }
        });
        await using var gateway = await StartAsync(provider.Port);
        using var client = new HttpClient();
        for (var i = 0; i < healthyBefore; i++)
        {
            Assert.Equal("good", await client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));
        }

        (received, isDown) = (0, true);
        await Parallel.ForEachAsync(Enumerable.Range(0, Calls), new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Cancellation }, async (_, cancellation) =>
            Assert.Equal(HttpStatusCode.ServiceUnavailable, (await client.GetAsync($"http://{gateway["egress"]}/provider/", cancellation)).StatusCode));

        Assert.InRange(received, Calls, Calls * 1.1);
    }

    private static ScriptedUpstream Provider(int faults, Func<ScriptedConnection, Task> fault, List<string>? requests = null)
    {
        var seen = 0;
        return new ScriptedUpstream(async connection =>
        {
            var isFaulty = Interlocked.Increment(ref seen) <= faults;
            while (await connection.ReadRequestAsync() is { } request)
            {
                if (requests is not null)
                {
                    lock (requests)
                    {
                        requests.Add(request);
                    }
                }

                if (isFaulty)
                {
                    await fault(connection);
                    return;
                }

                await connection.WriteAsync(Good);
            }
        });
    }

    private static Task<TestGateway> StartAsync(int port, string more = "max_request_body: 1MB", string answersWithin = "20s", string silenceEndsAfter = "20s") => TestGateway.StartAsync(
        $$"""
        listeners: { egress: { address: 127.0.0.1:0 } }
        apis:
          - name: provider
            direction: egress
            hosts: [provider.test]
            base_path: /provider
            timeouts: { connect: 20s, response_headers: {{answersWithin}}, idle: {{silenceEndsAfter}} }
            upstream: { destinations: [http://127.0.0.1:{{port}}] }
            retry: { backoff: { base: 10ms, max: 2s }, idempotency: {} }
            {{more}}
        """,
        Cancellation);

    private static string Plain(int port, string more) =>
        $$"""
        listeners: { egress: { address: 127.0.0.1:0 } }
        apis:
          - name: provider
            direction: egress
            hosts: [provider.test]
            base_path: /provider
            upstream: { destinations: [http://127.0.0.1:{{port}}] }
            {{more}}
        """;

    /// <summary>Answers on a port that was free a moment ago.</summary>
    private sealed class EchoOnPort : IAsyncDisposable
    {
        private readonly System.Net.Sockets.TcpListener _listener;
        private readonly Task _serving;

        public EchoOnPort(int port)
        {
            _listener = new System.Net.Sockets.TcpListener(IPAddress.Loopback, port);
            _listener.Start();
            _serving = ServeAsync();
        }

        public async ValueTask DisposeAsync()
        {
            _listener.Dispose();
            await _serving;
        }

        private async Task ServeAsync()
        {
            try
            {
                using var socket = await _listener.AcceptSocketAsync();
                var buffer = new byte[4096];
                await socket.ReceiveAsync(buffer);
                await socket.SendAsync(System.Text.Encoding.ASCII.GetBytes(Good));
            }
            catch (Exception stopped) when (stopped is System.Net.Sockets.SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }
}
