using System.Net;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>What a caller gets when a part of a provider is gone, and the alternatives that the configuration names.</summary>
public sealed class FailoverTests
{
    private const string Good = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";
    private const string Busy = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 60\r\nContent-Length: 4\r\n\r\nbusy";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("gone", "connect_failed")]
    [InlineData("busy", "503")]
    public async Task The_second_region_answers_at_once_when_the_first_does_not(string fault, string cause)
    {
        await using var first = ScriptedUpstream.Answering(Busy);
        await using var second = ScriptedUpstream.Answering(Good);
        var port = fault == "gone" ? TestPorts.Free() : first.Port;
        await using var gateway = await StartAsync(
            $$"""
            upstream: { destinations: [{ url: "http://127.0.0.1:{{port}}", region: eu }, { url: "http://127.0.0.1:{{second.Port}}", region: us }], balance: ordered }
            retry: { backoff: { base: 10s } }
            """);
        using var client = new HttpClient();

        Assert.Equal("good", await client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));

        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal(("us", 2, Outcome.Forwarded), (record.Region, record.Attempts, record.Outcome));
        var retry = Assert.Single(record.Retries);
        Assert.Equal((cause, "eu", $"http://127.0.0.1:{port}", TimeSpan.Zero), (retry.Cause, retry.Region, retry.Destination, retry.Pause));
        var metrics = await client.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation);
        Assert.Contains($$"""tidegate_destination_attempts_total{api="provider",destination="http://127.0.0.1:{{port}}",region="eu",result="failed"} 1""", metrics, StringComparison.Ordinal);
        Assert.Contains($$"""region="us",result="ok"} 1""", metrics, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("503 Service Unavailable", "retry: {}", true)]
    [InlineData("503 Service Unavailable", "retry: {}\nlimits: [{ rate: 1000/s }]", true)]
    [InlineData("429 Too Many Requests", "retry: {}\ncredential: { header: X-Key, value: ours }", true)]
    [InlineData("429 Too Many Requests", "retry: {}\nlimits: [{ rate: 1000/s }]", true)]
    [InlineData("429 Too Many Requests", "retry: {}\nlearn: on", false)]
    public async Task A_region_that_asks_for_a_pause_is_left_alone_for_it_and_the_other_answers(string refusal, string more, bool isReadHarmless)
    {
        var (asked, method) = (0, isReadHarmless ? HttpMethod.Get : HttpMethod.Post);
        await using var first = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is not null)
            {
                Interlocked.Increment(ref asked);
                await connection.WriteAsync($"HTTP/1.1 {refusal}\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n");
            }
        });
        await using var second = ScriptedUpstream.Answering(Good);
        await using var gateway = await StartAsync(Regions(first.Port, second.Port, more));
        using var client = new HttpClient();
        for (var i = 0; i < 8; i++)
        {
            using var request = new HttpRequestMessage(method, $"http://{gateway["egress"]}/provider/");
            using var answer = await client.SendAsync(request, Cancellation);
            Assert.Equal("good", await answer.Content.ReadAsStringAsync(Cancellation));
        }

        Assert.Equal(1, asked);
        var records = await gateway.RecordsAsync(8, Cancellation);
        Assert.Equal([2, 1, 1, 1, 1, 1, 1, 1], records.Select(record => record.Attempts));
        Assert.All(records, record => Assert.Equal("us", record.Region));
        Assert.Equal((refusal[..3], "eu", TimeSpan.Zero), (Assert.Single(records[0].Retries).Cause, records[0].Retries[0].Region, records[0].Retries[0].Pause));
    }

    [Theory]
    [InlineData("503 Service Unavailable", "retry: {}\nlimits: [{ rate: 1000/s }]", "destinations_set_aside", 503)]
    [InlineData("429 Too Many Requests", "retry: {}\nlimits: [{ rate: 1000/s }]", "provider_cooling_down", 429)]
    [InlineData("429 Too Many Requests", "retry: {}\ncredential: { header: X-Key, value: ours }", "destinations_set_aside", 503)]
    public async Task When_all_regions_ask_for_a_pause_callers_learn_at_once_when_the_first_of_them_is_back(string refusal, string more, string code, int status)
    {
        var asked = 0;
        await using var first = Refusing(40);
        await using var second = Refusing(30);
        await using var gateway = await StartAsync(Regions(first.Port, second.Port, more));
        using var client = new HttpClient();
        using var unlucky = await client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation);
        using var refused = await client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation);

        Assert.Equal((status, 2), ((int)refused.StatusCode, asked));
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 20, 30);
        Assert.Equal((code, 0), ((await gateway.RecordsAsync(2, Cancellation))[1].Code, (await gateway.RecordsAsync(2, Cancellation))[1].Attempts));

        ScriptedUpstream Refusing(int seconds) => new(async connection =>
        {
            while (await connection.ReadRequestAsync() is not null)
            {
                Interlocked.Increment(ref asked);
                await connection.WriteAsync($"HTTP/1.1 {refusal}\r\nRetry-After: {seconds}\r\nContent-Length: 0\r\n\r\n");
            }
        });
    }

    [Fact]
    public async Task A_pause_that_one_of_several_regions_asks_for_shows_in_metrics_until_it_is_over()
    {
        await using var first = ScriptedUpstream.Answering(Busy);
        await using var second = ScriptedUpstream.Answering(Good);
        await using var gateway = await StartAsync(Regions(first.Port, second.Port, "retry: {}\nlimits: [{ rate: 1000/s }]"));
        using var client = new HttpClient();
        Assert.Equal("good", await client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));

        var metrics = await client.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation);
        Assert.Contains($$"""tidegate_destination_ejected{api="provider",destination="http://127.0.0.1:{{first.Port}}",region="eu"} 1""", metrics, StringComparison.Ordinal);
        Assert.Contains($$"""tidegate_destination_set_asides_total{api="provider",destination="http://127.0.0.1:{{first.Port}}",region="eu"} 1""", metrics, StringComparison.Ordinal);
        Assert.Contains($$"""tidegate_destination_set_aside_seconds{api="provider",destination="http://127.0.0.1:{{second.Port}}",region="us"} 0""", metrics, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("account: one, ", "balance: ordered")]
    [InlineData("", "balance: round_robin")]
    public async Task Regions_of_one_account_cool_down_together(string account, string balance)
    {
        var asked = 0;
        await using var throttled = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is not null)
            {
                Interlocked.Increment(ref asked);
                await connection.WriteAsync("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n");
            }
        });
        await using var gateway = await StartAsync(
            $$"""
            upstream: { destinations: [{ {{account}}url: "http://127.0.0.1:{{throttled.Port}}" }, { {{account}}url: "http://localhost:{{throttled.Port}}" }], {{balance}} }
            retry: {}
            learn: on
            """);
        using var client = new HttpClient();
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(HttpStatusCode.TooManyRequests, (await client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation)).StatusCode);
        }

        Assert.Equal(1, asked);
    }

    [Fact]
    public async Task A_region_that_swallows_calls_gets_one_to_find_out_and_keeps_no_other_waiting()
    {
        await using var swallowing = new ScriptedUpstream(connection => connection.WaitForEndAsync());
        await using var second = ScriptedUpstream.Answering(Good);
        await using var gateway = await StartAsync(
            $$"""
            upstream: { destinations: ["http://127.0.0.1:{{swallowing.Port}}", "http://127.0.0.1:{{second.Port}}"], balance: ordered, ejection: { failures: 1, for: 1s } }
            retry: { attempts: 2 }
            endpoints: [{ match: { path: /** }, timeouts: { response_headers: 2s } }]
            """);
        using var client = new HttpClient();
        Assert.Equal("good", await client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));
        await Task.Delay(1_100, Cancellation);
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation)));

        Assert.All(answers, answer => Assert.Equal("good", answer));
        Assert.Equal(2, swallowing.Accepted);
        Assert.Equal([2, 2], (await gateway.RecordsAsync(51, Cancellation)).Select(record => record.Attempts).Where(attempts => attempts > 1));
    }

    [Fact]
    public async Task A_burst_that_the_first_region_swallows_opens_no_circuit_before_the_second()
    {
        await using var swallowing = new ScriptedUpstream(connection => connection.WaitForEndAsync());
        await using var second = ScriptedUpstream.Answering(Good);
        await using var gateway = await StartAsync(
            $$"""
            upstream: { destinations: ["http://127.0.0.1:{{swallowing.Port}}", "http://127.0.0.1:{{second.Port}}"], balance: ordered }
            retry: { attempts: 2, budget: 100% }
            circuit_breaker: { minimum: 5, open_for: 1m }
            endpoints: [{ match: { path: /** }, timeouts: { response_headers: 2s } }]
            """);
        using var client = new HttpClient();
        for (var i = 0; i < 2; i++)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation)));
            Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        }
    }

    [Fact]
    public async Task An_endpoint_that_fails_in_healthy_regions_opens_its_circuit()
    {
        await using var first = FailingPosts();
        await using var second = FailingPosts();
        await using var gateway = await StartAsync(
            $$"""
            upstream: { destinations: ["http://127.0.0.1:{{first.Port}}", "http://127.0.0.1:{{second.Port}}"] }
            endpoints: [{ match: { methods: [POST], path: /** }, circuit_breaker: { minimum: 5, open_for: 1m } }]
            """);
        using var client = new HttpClient();
        for (var i = 0; i < 5; i++)
        {
            using var failed = await client.PostAsync($"http://{gateway["egress"]}/provider/", new StringContent("pay"), Cancellation);
            Assert.Equal(HttpStatusCode.GatewayTimeout, failed.StatusCode);
            for (var k = 0; k < 4; k++)
            {
                Assert.Equal("good", await client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));
            }
        }

        using var refused = await client.PostAsync($"http://{gateway["egress"]}/provider/", new StringContent("pay"), Cancellation);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("circuit_open", (await gateway.RecordsAsync(26, Cancellation))[25].Code);

        static ScriptedUpstream FailingPosts() => new(async connection =>
        {
            while (await connection.ReadRequestAsync() is { } request)
            {
                await connection.WriteAsync(request.StartsWith("POST", StringComparison.Ordinal) ? "HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n" : Good);
            }
        });
    }

    [Fact]
    public async Task Calls_wait_for_a_limit_of_the_whole_api_although_its_regions_are_several_accounts()
    {
        await using var first = ScriptedUpstream.Answering(Good);
        await using var second = ScriptedUpstream.Answering(Good);
        await using var gateway = await StartAsync(Regions(first.Port, second.Port, "limits: [{ rate: 5/s, when_exceeded: queue, max_wait: 20s }]"));
        using var client = new HttpClient();
        var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation)));

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        Assert.All(await gateway.RecordsAsync(12, Cancellation), record => Assert.Equal("eu", record.Region));
    }

    [Fact]
    public async Task Calls_wait_for_the_account_that_has_room_first_although_another_region_asked_for_a_pause()
    {
        const string Spent = "HTTP/1.1 200 OK\r\nRateLimit: \"default\";r=0;t=2\r\nContent-Length: 4\r\n\r\ngood";
        await using var first = ScriptedUpstream.Answering(Spent);
        await using var second = ScriptedUpstream.Answering(Spent);
        await using var third = ScriptedUpstream.Answering(Busy.Replace("60", "1", StringComparison.Ordinal));
        await using var gateway = await StartAsync(
            $$"""
            upstream: { destinations: ["http://127.0.0.1:{{third.Port}}", "http://127.0.0.1:{{first.Port}}", "http://127.0.0.1:{{second.Port}}"], balance: ordered }
            retry: {}
            limits: [{ rate: 1000/s, when_exceeded: queue, max_wait: 20s }]
            """);
        using var client = new HttpClient();
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal("good", await client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));
        }
    }

    [Fact]
    public async Task A_region_that_cannot_be_reached_costs_no_call_however_few_retries_are_left()
    {
        const int Calls = 60;
        await using var second = ScriptedUpstream.Answering(Good);
        await using var gateway = await StartAsync(
            $$"""
            upstream: { destinations: ["http://127.0.0.1:{{TestPorts.Free()}}", "http://127.0.0.1:{{second.Port}}"], balance: ordered, ejection: { failures: 1000, minimum: 1000 } }
            retry: { budget: 1% }
            """);
        using var client = new HttpClient();
        for (var i = 0; i < Calls; i++)
        {
            Assert.Equal("good", await client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));
        }

        Assert.All(await gateway.RecordsAsync(Calls, Cancellation), record => Assert.Equal(2, record.Attempts));
    }

    [Fact]
    public async Task An_unwanted_http2_answer_that_never_ends_does_not_delay_the_next_attempt()
    {
        var asked = 0;
        await using var provider = new ScriptedUpstream(async connection =>
        {
            await using var stream = new System.Net.Sockets.NetworkStream(connection.Socket, ownsSocket: false);
            await stream.ReadExactlyAsync(new byte[24], connection.Stopping);
            await WriteAsync(RawHttp2.Settings, 0, 0, []);
            while (true)
            {
                var head = new byte[9];
                await stream.ReadExactlyAsync(head, connection.Stopping);
                await stream.ReadExactlyAsync(new byte[(head[0] << 16) | (head[1] << 8) | head[2]], connection.Stopping);
                if (head[3] == RawHttp2.Settings && head[4] == 0)
                {
                    await WriteAsync(RawHttp2.Settings, 1, 0, []);
                }
                else if (head[3] == RawHttp2.Headers)
                {
                    // The first is refused, and its content neither comes nor ends.
                    var isFirst = Interlocked.Increment(ref asked) == 1;
                    await WriteAsync(RawHttp2.Headers, isFirst ? RawHttp2.EndHeaders : (byte)(RawHttp2.EndHeaders | RawHttp2.EndStream), head[8], RawHttp2.Block([(":status", isFirst ? "503" : "204")]));
                }
            }

            async Task WriteAsync(byte type, byte flags, byte streamId, byte[] payload) =>
                await stream.WriteAsync(new byte[] { 0, 0, (byte)payload.Length, type, flags, 0, 0, 0, streamId }.Concat(payload).ToArray(), connection.Stopping);
        });
        await using var gateway = await StartAsync(
            $$"""
            upstream: { destinations: ["http://127.0.0.1:{{provider.Port}}"], protocol: http2 }
            retry: { backoff: { base: 1ms } }
            """);
        using var client = new HttpClient();

        using var answer = await client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation);
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal((2, "503"), (record.Attempts, Assert.Single(record.Retries).Cause));

        // Far from the five minutes that content may be silent, and from the minute that the next head may take.
        Assert.InRange(record.Total.TotalSeconds, 0, 30);
    }

    [Fact]
    public async Task When_all_are_down_the_fixed_answer_stands_in_and_says_so()
    {
        await using var gateway = await StartAsync(
            $$"""
            upstream: { destinations: ["http://127.0.0.1:{{TestPorts.Free()}}", "http://127.0.0.1:{{TestPorts.Free()}}"] }
            retry: { attempts: 2, backoff: { base: 1ms } }
            circuit_breaker: { minimum: 1, open_for: 1m }
            fallback: { body: '{"rates":[]}' }
            """);
        using var client = new HttpClient();

        foreach (var code in (string[])["connect_failed", "circuit_open"])
        {
            using var answer = await client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Equal("""{"rates":[]}""", await answer.Content.ReadAsStringAsync(Cancellation));
            Assert.Equal((code, "application/json"), (Assert.Single(answer.Headers.GetValues("Tidegate-Fallback")), answer.Content.Headers.ContentType!.ToString()));
        }

        var records = await gateway.RecordsAsync(2, Cancellation);
        Assert.Equal([(Outcome.ServedFromFallback, "upstream", "connect_failed"), (Outcome.ServedFromFallback, "circuit_breaker", "circuit_open")], records.Select(record => (record.Outcome, record.Reason, record.Code)));
        Assert.All(records, record => Assert.Equal((200, 12L), (record.Status, record.ResponseBytes)));
        Assert.Contains("""outcome="served_from_fallback",code="circuit_open"} 1""", await client.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stored_answer_goes_before_the_fixed_one_while_retries_fail_and_while_the_circuit_is_open()
    {
        var served = 0;
        await using var provider = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is { } request)
            {
                await connection.WriteAsync(request.Contains("/rates", StringComparison.Ordinal) && Interlocked.Increment(ref served) == 1
                    ? "HTTP/1.1 200 OK\r\nCache-Control: max-age=0, stale-if-error=60\r\nETag: \"1\"\r\nContent-Length: 3\r\n\r\nold"
                    : "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
            }
        });
        await using var gateway = await StartAsync(
            $$"""
            upstream: { destinations: ["http://127.0.0.1:{{provider.Port}}"] }
            retry: { attempts: 2, backoff: { base: 1ms } }
            circuit_breaker: { minimum: 3, open_for: 1m }
            cache: {}
            fallback: { status: 503, body: later, content_type: text/plain }
            """);
        using var client = new HttpClient();

        Assert.Equal("old", await client.GetStringAsync($"http://{gateway["egress"]}/provider/rates", Cancellation));
        Assert.Equal("old", await client.GetStringAsync($"http://{gateway["egress"]}/provider/rates", Cancellation));
        var attempts = served;
        Assert.Equal("old", await client.GetStringAsync($"http://{gateway["egress"]}/provider/rates", Cancellation));
        var other = await client.GetAsync($"http://{gateway["egress"]}/provider/others", Cancellation);

        Assert.Equal(attempts, served);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "later"), (other.StatusCode, await other.Content.ReadAsStringAsync(Cancellation)));
        var records = await gateway.RecordsAsync(4, Cancellation);
        Assert.Equal([CacheResult.Miss, CacheResult.HitStale, CacheResult.HitStale, CacheResult.Miss], records.Select(record => record.Cache));
    }

    [Theory]
    [InlineData("429 Too Many Requests", "Retry-After: 30\r\n", "GET")]
    [InlineData("429 Too Many Requests", "Retry-After: 30\r\n", "POST")]
    [InlineData("401 Unauthorized", "", "GET")]
    [InlineData("401 Unauthorized", "", "POST")]
    [InlineData("402 Payment Required", "", "POST")]
    public async Task A_call_whose_key_is_refused_goes_on_with_the_next_and_the_key_is_set_aside(string refusal, string fields, string method)
    {
        var seen = new List<string>();
        await using var provider = Knowing(seen, key => key == "first" ? $"HTTP/1.1 {refusal}\r\n{fields}Content-Length: 0\r\n\r\n" : Good);
        await using var gateway = await StartAsync(Keys(provider.Port, "balance: ordered"));
        using var client = new HttpClient();
        for (var i = 0; i < 2; i++)
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), $"http://{gateway["egress"]}/provider/") { Content = method == "POST" ? new StringContent("pay") : null };
            using var answer = await client.SendAsync(request, Cancellation);
            Assert.Equal("good", await answer.Content.ReadAsStringAsync(Cancellation));
        }

        Assert.Equal(["first", "second", "second"], seen);
        var records = await gateway.RecordsAsync(2, Cancellation);
        Assert.Equal([("2", 2), ("2", 1)], records.Select(record => (record.Credential, record.Attempts)));
        var retry = Assert.Single(records[0].Retries);
        Assert.Equal((refusal[..3], "1", TimeSpan.Zero), (retry.Cause, retry.Credential, retry.Pause));

        var metrics = await client.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation);
        Assert.Contains("""tidegate_credential_requests_total{api="provider",credential="1",result="refused"} 1""", metrics, StringComparison.Ordinal);
        Assert.Contains("""tidegate_credential_requests_total{api="provider",credential="2",result="ok"} 2""", metrics, StringComparison.Ordinal);
        Assert.Contains("tidegate_credential_set_aside_seconds{api=\"provider\",credential=\"2\"} 0\n", metrics, StringComparison.Ordinal);
        Assert.DoesNotContain("tidegate_credential_set_aside_seconds{api=\"provider\",credential=\"1\"} 0\n", metrics, StringComparison.Ordinal);
        Assert.DoesNotContain("Bearer", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task When_every_key_is_refused_the_refusal_is_the_clients()
    {
        await using var provider = Knowing([], _ => "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
        await using var gateway = await StartAsync(Keys(provider.Port, "balance: ordered"));
        using var client = new HttpClient();

        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation)).StatusCode);
        var record = (await gateway.RecordsAsync(1, Cancellation))[0];
        Assert.Equal((2, "2"), (record.Attempts, record.Credential));
    }

    [Theory]
    [InlineData("credential")]
    [InlineData("[tenant, credential]")]
    public async Task Each_key_has_its_own_limit_and_a_call_takes_the_one_that_has_room(string per)
    {
        var seen = new List<string>();
        await using var provider = Knowing(seen, _ => Good);
        await using var gateway = await StartAsync(Keys(provider.Port, "balance: ordered") + $"\nlimits: [{{ rate: 2/h, per: {per} }}]");
        using var client = new HttpClient();
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal("good", await client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));
        }

        Assert.Equal(["first", "first", "second", "second"], seen);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation)).StatusCode);
        Assert.Equal("rate_limited", (await gateway.RecordsAsync(5, Cancellation))[4].Code);
    }

    [Fact]
    public async Task What_the_provider_says_of_one_keys_limit_holds_for_that_key_alone()
    {
        var seen = new List<string>();
        await using var provider = Knowing(seen, key => key == "first" ? Good.Replace("\r\n\r\n", "\r\nRateLimit: \"default\";r=0;t=3600\r\n\r\n", StringComparison.Ordinal) : Good);
        await using var gateway = await StartAsync(Keys(provider.Port, "balance: ordered") + "\nlearn: on");
        using var client = new HttpClient();
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal("good", await client.GetStringAsync($"http://{gateway["egress"]}/provider/", Cancellation));
        }

        Assert.Equal(["first", "second", "second"], seen);
        Assert.All(await gateway.RecordsAsync(3, Cancellation), record => Assert.Equal(1, record.Attempts));
    }

    [Fact]
    public async Task In_observe_mode_neither_keys_nor_the_fixed_answer_change_what_callers_get_and_the_record_says_what_would_have_been()
    {
        var seen = new List<string>();
        await using var provider = Knowing(seen, key => key == "first" ? "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n" : Busy);
        await using var gateway = await StartAsync(Keys(provider.Port, "mode: observe") + "\nfallback: { body: '{}', mode: observe }");
        using var client = new HttpClient();
        var statuses = new List<int>();
        for (var i = 0; i < 3; i++)
        {
            using var answer = await client.PostAsync($"http://{gateway["egress"]}/provider/", new StringContent("pay"), Cancellation);
            statuses.Add((int)answer.StatusCode);
            Assert.False(answer.Headers.Contains("Tidegate-Fallback"));
        }

        Assert.Equal([401, 503, 401], statuses);
        Assert.Equal(["first", "second", "first"], seen);
        var records = await gateway.RecordsAsync(3, Cancellation);
        Assert.Equal(["credential:key_set_aside", "fallback:served_from_fallback", "credential:key_passed_over"], records.Select(record => string.Join(' ', record.Observed.Select(decision => $"{decision.Policy}:{decision.Code}"))));
        var metrics = await client.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation);
        Assert.Contains("""policy="fallback",code="served_from_fallback"} 1""", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task In_observe_mode_a_destination_that_does_not_answer_has_its_turns_and_the_record_says_what_would_have_been()
    {
        await using var second = ScriptedUpstream.Answering(Good);
        var first = $"http://127.0.0.1:{TestPorts.Free()}";
        await using var gateway = await StartAsync(
            $$"""
            upstream: { destinations: ["{{first}}", "http://127.0.0.1:{{second.Port}}"], balance: ordered, ejection: { failures: 2, for: 1h, mode: observe } }
            """);
        using var client = new HttpClient();
        var statuses = new List<int>();
        for (var i = 0; i < 4; i++)
        {
            using var answer = await client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation);
            statuses.Add((int)answer.StatusCode);
        }

        Assert.Equal([502, 502, 502, 502], statuses);
        var records = await gateway.RecordsAsync(4, Cancellation);
        Assert.All(records, record => Assert.Equal(first, record.Destination));
        Assert.Equal(["", "ejection:destination_ejected", "ejection:destination_passed_over", "ejection:destination_passed_over"], records.Select(record => string.Join(' ', record.Observed.Select(decision => $"{decision.Policy}:{decision.Code}"))));
        var metrics = await client.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation);
        Assert.Contains("""policy="ejection",code="destination_passed_over"} 2""", metrics, StringComparison.Ordinal);
        Assert.Contains($$"""tidegate_destination_ejected{api="provider",destination="{{first}}"} 1""", metrics, StringComparison.Ordinal);
        Assert.Contains($$"""tidegate_destination_ejections_total{api="provider",destination="{{first}}"} 1""", metrics, StringComparison.Ordinal);
    }

    private static string Regions(int first, int second, string more) =>
        $$"""
        upstream: { destinations: [{ url: "http://127.0.0.1:{{first}}", region: eu }, { url: "http://127.0.0.1:{{second}}", region: us }], balance: ordered }
        {{more}}
        """;

    private static string Keys(int port, string more) =>
        $$"""
        upstream: { destinations: ["http://127.0.0.1:{{port}}"] }
        retry: { backoff: { base: 10s, max: 20s } }
        credential: { header: Authorization, keys: ["Bearer first", "Bearer second"], {{more}} }
        """;

    private static ScriptedUpstream Knowing(List<string> seen, Func<string, string> answer) => new(async connection =>
    {
        while (await connection.ReadRequestAsync() is { } request)
        {
            var key = request.Contains("Authorization: Bearer first\r\n", StringComparison.Ordinal) ? "first" : "second";
            lock (seen)
            {
                seen.Add(key);
            }

            await connection.WriteAsync(answer(key));
        }
    });

    private static Task<TestGateway> StartAsync(string more) => TestGateway.StartAsync(
        $"""
        listeners:
          egress: {"{ address: 127.0.0.1:0 }"}
          admin: {"{ address: 127.0.0.1:0 }"}
        apis:
          - name: provider
            direction: egress
            hosts: [provider.test]
            base_path: /provider
            timeouts: {"{ connect: 20s, response_headers: 60s }"}
            {more.ReplaceLineEndings("\n    ")}
        """,
        Cancellation);
}
