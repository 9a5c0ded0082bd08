using System.CommandLine;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Host.Commands;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>The cache through a whole gateway: what clients get, what the upstream sees, what is recorded, and how it is purged.</summary>
public sealed class CacheTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_second_call_is_answered_from_the_store_and_the_record_says_so()
    {
        await using var upstream = new CountingUpstream(_ => "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nX-RateLimit-Remaining: 4\r\nContent-Length: 5\r\n\r\nhello");
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port), Cancellation);
        using var client = new HttpClient();
        var first = await client.GetAsync($"http://{gateway["ingress"]}/a", Cancellation);
        await StoredAsync(client, gateway);
        var second = await client.GetAsync($"http://{gateway["ingress"]}/a", Cancellation);

        Assert.Equal("hello", await second.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal("tidegate; fwd=uri-miss; fwd-status=200; stored", Assert.Single(first.Headers.GetValues("Cache-Status")));
        Assert.StartsWith("tidegate; hit; ttl=", Assert.Single(second.Headers.GetValues("Cache-Status")), StringComparison.Ordinal);
        Assert.True(first.Headers.Contains("X-RateLimit-Remaining"));
        Assert.False(second.Headers.Contains("X-RateLimit-Remaining"));
        Assert.NotNull(second.Headers.Age);
        Assert.Equal(1, upstream.Requests);
        var records = await gateway.RecordsAsync(2, Cancellation);
        Assert.Contains(records, record => record is { Outcome: Outcome.Forwarded, Cache: CacheResult.Miss, Attempts: 1 });
        Assert.Contains(records, record => record is { Outcome: Outcome.ServedFromCache, Cache: CacheResult.Hit, Attempts: 0, Status: 200, ResponseBytes: 5 });
        var metrics = await client.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation);
        Assert.Contains("tidegate_cache_requests_total{result=\"hit\"} 1", metrics, StringComparison.Ordinal);
        Assert.Contains("tidegate_cache_entries 1", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hundred_clients_that_come_at_once_cost_one_request_and_each_gets_all_of_a_large_answer()
    {
        const int Length = 3_000_000;
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is not null)
            {
                await connection.WriteAsync($"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: {Length}\r\n\r\n");
                await Task.Delay(200, connection.Stopping);
                for (var i = 0; i < 30; i++)
                {
                    await connection.WriteAsync(new string((char)('a' + (i % 26)), Length / 30));
                }
            }
        });
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port), Cancellation);
        using var client = new HttpClient();
        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => client.GetStringAsync($"http://{gateway["ingress"]}/large", Cancellation)));

        Assert.Single(answers.Distinct());
        Assert.Equal(Length, answers[0].Length);
        Assert.Equal(1, upstream.Accepted);
        Assert.Equal(answers[0], await client.GetStringAsync($"http://{gateway["ingress"]}/large", Cancellation));
        var records = await gateway.RecordsAsync(101, Cancellation);
        Assert.Equal(1, records.Sum(record => record.Attempts));
    }

    [Fact]
    public async Task The_client_who_asked_first_hangs_up_and_the_other_gets_the_answer()
    {
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
            await go.Task;
            await connection.WriteAsync("6\r\nsecond\r\n0\r\n\r\n");
        });
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port), Cancellation);
        using var other = new HttpClient();
        Task<string> rest;
        using (var leaving = new HttpClient())
        {
            await using var stream = await leaving.GetStreamAsync($"http://{gateway["ingress"]}/a", Cancellation);
            await stream.ReadExactlyAsync(new byte[5], Cancellation);
            var follows = await other.GetAsync($"http://{gateway["ingress"]}/a", HttpCompletionOption.ResponseHeadersRead, Cancellation);
            rest = follows.Content.ReadAsStringAsync(Cancellation);
        }

        await gateway.RecordsAsync(1, Cancellation);
        go.SetResult();
        Assert.Equal("firstsecond", await rest);
        Assert.Equal("firstsecond", await other.GetStringAsync($"http://{gateway["ingress"]}/a", Cancellation));
        Assert.Equal(1, upstream.Accepted);
    }

    [Fact]
    public async Task Egress_answers_stay_with_the_credential_that_they_were_given_to()
    {
        await using var upstream = new CountingUpstream(head => Text(200, "Cache-Control: private, max-age=60", head.Split("\r\n").First(line => line.StartsWith("Authorization", StringComparison.OrdinalIgnoreCase))));
        await using var gateway = await TestGateway.StartAsync(
            $$"""
            listeners: { egress: { address: 127.0.0.1:0 } }
            apis:
              - { name: provider, direction: egress, hosts: [provider.test], base_path: /provider, upstream: { destinations: [http://127.0.0.1:{{upstream.Port}}] }, cache: { mode: standard } }
            """,
            Cancellation);
        using var client = new HttpClient();
        Assert.Equal("Authorization: Bearer a", await GetAsync("a"));
        Assert.Equal("Authorization: Bearer b", await GetAsync("b"));
        Assert.Equal("Authorization: Bearer a", await GetAsync("a"));
        Assert.Equal(2, upstream.Requests);

        // A purge by credential, whose value is in no process list.
        using (var purge = TidegateProcess.Start(["purge", "--credential-env", "PROVIDER_TOKEN", "--admin", gateway["admin"].ToString()], ("PROVIDER_TOKEN", "Bearer a")))
        {
            Assert.Equal(ExitCode.Success, await purge.ExitCodeAsync(Cancellation));
        }

        await GetAsync("b");
        Assert.Equal(2, upstream.Requests);
        await GetAsync("a");
        Assert.Equal(3, upstream.Requests);

        async Task<string> GetAsync(string token)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{gateway["egress"]}/provider/me") { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", token) } };
            return await (await client.SendAsync(request, Cancellation)).Content.ReadAsStringAsync(Cancellation);
        }
    }

    [Fact]
    public async Task A_purge_over_the_admin_api_and_the_command_line_makes_the_gateway_ask_again()
    {
        await using var upstream = new CountingUpstream(_ => Text(200, "Cache-Control: max-age=60\r\nSurrogate-Key: red", "hello"));
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port), Cancellation);
        using var client = new HttpClient();
        var url = $"http://{gateway["ingress"]}/a?b=c";
        await client.GetStringAsync(url, Cancellation);
        await client.GetStringAsync(url, Cancellation);
        Assert.Equal(1, upstream.Requests);

        var requests = 1;
        foreach (var purge in (string[])[$"{{\"url\":\"{url}\"}}", $"{{\"prefix\":\"http://{gateway["ingress"]}/\"}}", "{\"api\":\"all\"}", "{\"api\":\"all\",\"tag\":\"red\"}", "{\"consumer\":\"anonymous\"}", "{\"all\":true}", "{\"all\":true,\"soft\":true}"])
        {
            Assert.Equal(HttpStatusCode.OK, (await PurgeAsync(purge)).StatusCode);
            await client.GetStringAsync(url, Cancellation);
            Assert.Equal(++requests, upstream.Requests);
        }

        var console = new InvocationConfiguration { Output = new StringWriter(), Error = new StringWriter() };
        Assert.Equal(0, await PurgeCommand.Create().Parse(["--url", url, "--admin", gateway["admin"].ToString()]).InvokeAsync(console, Cancellation));
        await client.GetStringAsync(url, Cancellation);
        Assert.Equal(++requests, upstream.Requests);
        Assert.Equal(1, await PurgeCommand.Create().Parse(["--api", "unknown", "--admin", gateway["admin"].ToString()]).InvokeAsync(console, Cancellation));
        Assert.Contains("There is no API 'unknown'.", console.Error.ToString(), StringComparison.Ordinal);

        Task<HttpResponseMessage> PurgeAsync(string json) =>
            client.PostAsync($"http://{gateway["admin"]}/api/v1/cache/purge", new StringContent(json, Encoding.UTF8, "application/json"), Cancellation);
    }

    [Theory]
    [InlineData("POST", "application/json", "{", null, 400)]
    [InlineData("POST", "application/json", "{\"url\":\"/a\"}", null, 400)]
    [InlineData("POST", "application/json", "{\"all\":true,\"api\":\"all\"}", null, 400)]
    [InlineData("POST", "application/json", "{\"tag\":\"red\"}", null, 400)]
    [InlineData("POST", "application/json", "{\"al\":true}", null, 400)]
    [InlineData("POST", "application/json", "{\"consumer\":\"nobody\"}", null, 400)]
    [InlineData("POST", "application/json", "{\"header\":\"X-Api-Key\"}", null, 400)]
    [InlineData("POST", "application/json", "{\"credential\":\"Bearer a\",\"all\":true}", null, 400)]
    [InlineData("POST", "application/json", "[]", null, 400)]
    [InlineData("POST", "application/json", "{\"all\":true,\"url\":5}", null, 400)]
    [InlineData("POST", "application/json", "{\"all\":\"true\"}", null, 400)]
    [InlineData("POST", "application/json", "{\"all\":true,\"soft\":\"yes\"}", null, 400)]
    [InlineData("POST", "application/json", "{\"all\":true,\"tag\":null}", null, 400)]
    [InlineData("POST", "application/json", "{\"api\":\"all\",\"tag\":\"\"}", null, 400)]
    [InlineData("POST", "application/json", "{\"url\":\"http://a.test/%zz\"}", null, 400)]
    [InlineData("POST", "text/plain", "{\"all\":true}", null, 415)]
    [InlineData("POST", "application/json", "{\"all\":true}", "Origin: https://evil.test", 403)]
    [InlineData("POST", "application/json", "{\"all\":true}", "Sec-Fetch-Site: cross-site", 403)]
    [InlineData("GET", null, null, null, 405)]
    [InlineData("OPTIONS", null, null, null, 405)]
    [InlineData("OPTIONS", null, null, "Origin: https://evil.test", 403)]
    public async Task A_purge_that_is_not_meant_is_refused(string method, string? type, string? content, string? field, int status)
    {
        await using var gateway = await TestGateway.StartAsync(Ingress(1), Cancellation);
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(new HttpMethod(method), $"http://{gateway["admin"]}/api/v1/cache/purge");
        request.Content = content is null ? null : new StringContent(content, Encoding.UTF8, type!);
        if (field?.Split(": ") is [var name, var value])
        {
            request.Headers.Add(name, value);
        }

        Assert.Equal(status, (int)(await client.SendAsync(request, Cancellation)).StatusCode);
        Assert.Contains("tidegate_cache_purges_total{kind=\"all\"} 0", await client.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_purge_that_is_too_large_is_a_problem_and_says_how_large_it_may_be()
    {
        await using var gateway = await TestGateway.StartAsync(Ingress(1), Cancellation);
        using var client = new HttpClient();
        foreach (var content in (HttpContent[])[Json(new string('x', 5000)), new StreamContent(new ChunkedOnly(Encoding.UTF8.GetBytes($"{{\"url\":\"{new string('x', 9000)}\"}}"))) { Headers = { ContentType = new("application/json") } }])
        {
            using var answer = await client.PostAsync($"http://{gateway["admin"]}/api/v1/cache/purge", content, Cancellation);
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
            Assert.Contains("content_too_large", await answer.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        }

        static StringContent Json(string url) => new($"{{\"url\":\"{url}\"}}", Encoding.UTF8, "application/json");
    }

    [Theory]
    [InlineData("/a/%7Eb", "/a/~b")]
    [InlineData("/a/~b", "/a/%7eb")]
    [InlineData("/a/b", "/a/./c/../b")]
    [InlineData("/a%3ab", "/a%3Ab")]
    [InlineData("/a//b", "/a/b")]
    [InlineData("/a/b", "/a//b")]
    [InlineData("/a?x=%7e", "/a?x=%7e#top")]
    public async Task A_purge_by_url_or_prefix_means_what_a_request_for_it_means(string path, string purged)
    {
        await using var upstream = new CountingUpstream(_ => Text(200, "Cache-Control: max-age=60", "hello"));
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port), Cancellation);
        using var client = new HttpClient();
        await GetAsync();
        await GetAsync();
        Assert.Equal(1, upstream.Requests);
        var requests = 1;
        foreach (var kind in (string[])["url", "prefix"])
        {
            var json = $"{{\"{kind}\":\"http://{gateway["ingress"]}{purged}\"}}";
            Assert.Equal(HttpStatusCode.OK, (await client.PostAsync($"http://{gateway["admin"]}/api/v1/cache/purge", new StringContent(json, Encoding.UTF8, "application/json"), Cancellation)).StatusCode);
            await GetAsync();
            Assert.Equal(++requests, upstream.Requests);
        }

        async Task GetAsync()
        {
            // As it is written, not as System.Uri would write it.
            var uri = new Uri($"http://{gateway["ingress"]}{path}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
            (await client.GetAsync(uri, Cancellation)).EnsureSuccessStatusCode();
        }
    }

    [Fact]
    public async Task A_purge_from_the_command_line_goes_through_no_proxy_and_says_what_is_wrong_with_its_arguments()
    {
        await using var upstream = new CountingUpstream(_ => Text(200, "Cache-Control: max-age=60", "hello"));
        await using var proxy = new CountingUpstream(_ => Text(502, "", "proxy"));
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port), Cancellation);
        using (var purge = TidegateProcess.Start(["purge", "--all", "--admin", gateway["admin"].ToString()], ("http_proxy", $"http://127.0.0.1:{proxy.Port}"), ("HTTP_PROXY", $"http://127.0.0.1:{proxy.Port}"), ("no_proxy", "")))
        {
            Assert.Equal(ExitCode.Success, await purge.ExitCodeAsync(Cancellation));
        }

        Assert.Equal(0, proxy.Requests);

        foreach (var (arguments, expected) in ((string[], string)[])
        [
            (["--all", "--admin", "not an address"], "'not an address' is no address. Write --admin HOST:PORT, for example 127.0.0.1:9900."),
            (["--all", "--admin", "http://127.0.0.1:9900"], "'http://127.0.0.1:9900' is no address."),
            (["--all", "--admin", "127.0.0.1:99999"], "'127.0.0.1:99999' is no address."),
            (["--all", "--token-env", "TIDEGATE_TEST_NOT_SET"], "The environment variable TIDEGATE_TEST_NOT_SET is not set."),
        ])
        {
            var console = new InvocationConfiguration { Output = new StringWriter(), Error = new StringWriter() };
            Assert.Equal(ExitCode.Configuration, await PurgeCommand.Create().Parse(arguments).InvokeAsync(console, Cancellation));
            Assert.Contains(expected, console.Error.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task In_observe_mode_a_failure_says_nothing_of_the_cache_either()
    {
        await using var gateway = await TestGateway.StartAsync(Ingress(1).Replace("mode: standard", "mode: observe", StringComparison.Ordinal), Cancellation);
        using var client = new HttpClient();
        var answer = await client.GetAsync($"http://{gateway["ingress"]}/a", Cancellation);
        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.False(answer.Headers.Contains("Cache-Status"));
    }

    [Fact]
    public async Task In_observe_mode_the_admin_api_says_what_storing_would_bring()
    {
        await using var upstream = new CountingUpstream(_ => Text(200, "Server: test", "hello"));
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port).Replace("mode: standard", "mode: observe", StringComparison.Ordinal), Cancellation);
        using var client = new HttpClient();
        for (var i = 0; i < 5; i++)
        {
            await client.GetStringAsync($"http://{gateway["ingress"]}/a", Cancellation);
        }

        Assert.Equal(5, upstream.Requests);

        // A client has the last byte before the gateway is done with its exchange.
        await gateway.RecordsAsync(5, Cancellation);
        using var advice = System.Text.Json.JsonDocument.Parse(await client.GetStringAsync($"http://{gateway["admin"]}/api/v1/cache/advice", Cancellation));
        var endpoint = Assert.Single(advice.RootElement.GetProperty("endpoints").EnumerateArray());
        Assert.Equal(("all", 5, 5), (endpoint.GetProperty("api").GetString(), endpoint.GetProperty("calls").GetInt32(), endpoint.GetProperty("sampled").GetInt32()));
        Assert.Equal(["own", "1s", "10s", "1m", "5m", "1h", "24h"], endpoint.GetProperty("lifetimes").EnumerateArray().Select(lifetime => lifetime.GetProperty("lifetime").GetString()));
        Assert.Equal(4, endpoint.GetProperty("lifetimes")[3].GetProperty("hits").GetInt32());
        Assert.Equal(20, endpoint.GetProperty("lifetimes")[3].GetProperty("bytes").GetInt32());
        Assert.False(endpoint.TryGetProperty("rule", out _));
        Assert.Contains("100 are needed", endpoint.GetProperty("reason").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_admin_api_explains_what_is_stored_of_a_url_and_whether_it_would_be_used()
    {
        await using var upstream = new CountingUpstream(_ => Text(200, "Cache-Control: max-age=60\r\nVary: Accept-Language", "hello"));
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port), Cancellation);
        using var client = new HttpClient();
        var url = $"http://{gateway["ingress"]}/a";
        Assert.EndsWith("; nothing stored", await ExplainAsync(""), StringComparison.Ordinal);
        await client.GetStringAsync(url, Cancellation);
        await StoredAsync(client, gateway);
        var stored = await ExplainAsync("");
        Assert.Contains("(kept for consumer anonymous); stored 200 of 5 bytes, varies by ", stored, StringComparison.Ordinal);
        Assert.EndsWith(" s: fresh, used as it is", stored, StringComparison.Ordinal);
        Assert.EndsWith("; stored for other requests only", await ExplainAsync("&header=Accept-Language:%20de"), StringComparison.Ordinal);
        Assert.EndsWith("the request wants a newer one; the upstream is asked", await ExplainAsync("&header=Cache-Control:%20no-cache"), StringComparison.Ordinal);
        Assert.Contains("when it succeeds, what is stored of this URL is invalid", await ExplainAsync("&method=POST"), StringComparison.Ordinal);
        await client.PostAsync($"http://{gateway["admin"]}/api/v1/cache/purge", new StringContent("{\"all\":true}", Encoding.UTF8, "application/json"), Cancellation);
        Assert.EndsWith(": purged, so the upstream is asked", await ExplainAsync(""), StringComparison.Ordinal);

        // The command says the same.
        var console = new InvocationConfiguration { Output = new StringWriter(), Error = new StringWriter() };
        Assert.Equal(0, await ExplainCommand.Create().Parse(["GET", url, "--live", "-H", "Accept-Language: de", "--admin", gateway["admin"].ToString()]).InvokeAsync(console, Cancellation));
        Assert.Contains($"url        {url}\n", console.Output.ToString()!.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Contains("cache      key ", console.Output.ToString(), StringComparison.Ordinal);
        Assert.Contains("; stored for other requests only", console.Output.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, await ExplainCommand.Create().Parse(["GET", url, "--live", "--consumer", "nobody", "--admin", gateway["admin"].ToString()]).InvokeAsync(console, Cancellation));
        Assert.Contains("There is no consumer 'nobody'.", console.Error.ToString(), StringComparison.Ordinal);
        foreach (var wrong in (string[])["url=x", "url=http://a.test/&direction=up", "url=http://a.test/&consumer=nobody", "url=http://a.test/&header=x", "url=http://a.test/&more=1"])
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await client.GetAsync($"http://{gateway["admin"]}/api/v1/cache/explain?{wrong}", Cancellation)).StatusCode);
        }

        async Task<string> ExplainAsync(string more)
        {
            using var explained = System.Text.Json.JsonDocument.Parse(await client.GetStringAsync($"http://{gateway["admin"]}/api/v1/cache/explain?url={Uri.EscapeDataString(url)}{more}", Cancellation));
            return explained.RootElement.GetProperty("cache").GetString()!;
        }
    }

    [Fact]
    public async Task With_a_token_a_purge_needs_it()
    {
        await using var gateway = await TestGateway.StartAsync(
            """
            listeners: { ingress: { address: 127.0.0.1:0 }, admin: { address: 127.0.0.1:0, token: a-token-of-some-length } }
            """,
            Cancellation);
        using var client = new HttpClient();
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.PostAsync($"http://{gateway["admin"]}/api/v1/cache/purge", new StringContent("{\"all\":true}", Encoding.UTF8, "application/json"), Cancellation)).StatusCode);
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "a-token-of-some-length");
        Assert.Equal(HttpStatusCode.OK, (await client.PostAsync($"http://{gateway["admin"]}/api/v1/cache/purge", new StringContent("{\"all\":true}", Encoding.UTF8, "application/json"), Cancellation)).StatusCode);
    }

    [Fact]
    public async Task A_write_through_another_endpoint_is_seen_by_the_one_that_stores()
    {
        await using var upstream = new CountingUpstream(_ => Text(200, "Cache-Control: max-age=60", "hello"));
        await using var gateway = await TestGateway.StartAsync(
            $$"""
            listeners: { ingress: { address: 127.0.0.1:0 } }
            apis:
              - name: all
                direction: ingress
                upstream: { destinations: [http://127.0.0.1:{{upstream.Port}}] }
                endpoints: [{ match: { path: /a, methods: [GET] }, cache: { mode: standard } }]
            """,
            Cancellation);
        using var client = new HttpClient();
        var url = $"http://{gateway["ingress"]}/a";
        await client.GetStringAsync(url, Cancellation);
        await client.GetStringAsync(url, Cancellation);
        Assert.Equal(1, upstream.Requests);
        await client.PutAsync(url, new StringContent("new"), Cancellation);
        await client.GetStringAsync(url, Cancellation);
        Assert.Equal(3, upstream.Requests);
    }

    [Fact]
    public async Task A_post_that_is_a_read_is_asked_once_and_asked_again_in_the_background_with_the_same_content()
    {
        var asked = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await using var upstream = new CountingUpstream(request =>
        {
            asked.Enqueue(request);
            return Text(200, "Cache-Control: max-age=0, stale-while-revalidate=60\r\nETag: \"v1\"", request.Split("\r\n\r\n")[1]);
        });
        await using var gateway = await TestGateway.StartAsync(
            $$"""
            listeners: { ingress: { address: 127.0.0.1:0 } }
            apis:
              - name: all
                direction: ingress
                upstream: { destinations: [http://127.0.0.1:{{upstream.Port}}] }
                retry: { attempts: 2 }
                endpoints: [{ match: { path: /search, methods: [POST] }, cache: { key: { body: true } } }]
            """,
            Cancellation);
        using var client = new HttpClient();
        Assert.Equal("one", await SearchAsync("one"));
        Assert.Equal("two", await SearchAsync("two"));
        Assert.Equal("one", await SearchAsync("one"));

        // By what is compared, which is kept after the request was counted.
        await Eventually.HoldsAsync(() => asked.Count >= 3, "It was not asked again.", Cancellation);
        Assert.Equal(3, upstream.Requests);
        Assert.All(asked, request => Assert.StartsWith("POST /search ", request, StringComparison.Ordinal));
        Assert.All(asked, request => Assert.DoesNotContain("If-None-Match", request, StringComparison.OrdinalIgnoreCase));
        Assert.Equal(["one", "two", "one"], asked.Select(request => request.Split("\r\n\r\n")[1]));
        // What nobody asked for is recorded too.
        var records = await gateway.RecordsAsync(4, Cancellation);
        Assert.All(records, record => Assert.Equal(3, record.RequestBytes));
        var refresh = Assert.Single(records, record => record.Cache == CacheResult.Refresh);
        Assert.Equal((Outcome.Forwarded, 200, 1, 3L, "all"), (refresh.Outcome, refresh.Status, refresh.Attempts, refresh.ResponseBytes, refresh.Api));
        Assert.DoesNotContain(records, record => record != refresh && record.Id == refresh.Id);

        async Task<string> SearchAsync(string content)
        {
            using var answer = await client.PostAsync($"http://{gateway["ingress"]}/search", new StringContent(content), Cancellation);
            return await answer.Content.ReadAsStringAsync(Cancellation);
        }
    }

    [Fact]
    public async Task Only_if_cached_is_a_problem_that_says_what_the_cache_did()
    {
        await using var gateway = await TestGateway.StartAsync(Ingress(1), Cancellation);
        using var client = new HttpClient { DefaultRequestHeaders = { { "Cache-Control", "only-if-cached" } } };
        var answer = await client.GetAsync($"http://{gateway["ingress"]}/a", Cancellation);
        Assert.Equal(HttpStatusCode.GatewayTimeout, answer.StatusCode);
        Assert.Equal("tidegate; fwd=uri-miss; detail=not_cached", Assert.Single(answer.Headers.GetValues("Cache-Status")));
    }

    [Fact]
    public async Task Stored_answers_survive_a_reload()
    {
        await using var upstream = new CountingUpstream(_ => Text(200, "Cache-Control: max-age=60", "hello"));
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port), Cancellation);
        using var client = new HttpClient();
        await client.GetStringAsync($"http://{gateway["ingress"]}/a", Cancellation);
        Assert.Empty(gateway.Reload(Ingress(upstream.Port)));
        await client.GetStringAsync($"http://{gateway["ingress"]}/a", Cancellation);
        Assert.Equal(1, upstream.Requests);
    }

    /// <summary>A client may have the last byte a moment before the answer is in the store: who asks then gets it from whoever brings it.</summary>
    private static Task StoredAsync(HttpClient client, TestGateway gateway) => Eventually.HoldsAsync(
        async () => (await client.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation)).Contains("tidegate_cache_entries 1\n", StringComparison.Ordinal), "It was not stored.", Cancellation);

    private static string Text(int status, string fields, string content) => $"HTTP/1.1 {status} Status\r\n{fields}\r\nContent-Length: {content.Length}\r\n\r\n{content}";

    private static string Ingress(int port) =>
        $$"""
        listeners: { ingress: { address: 127.0.0.1:0 } }
        apis:
          - { name: all, direction: ingress, upstream: { destinations: [http://127.0.0.1:{{port}}] }, cache: { mode: standard } }
        """;

    /// <summary>A stream whose length nobody knows.</summary>
    private sealed class ChunkedOnly(byte[] content) : MemoryStream(content)
    {
        public override bool CanSeek => false;
    }

    private sealed class CountingUpstream : IAsyncDisposable
    {
        private readonly ScriptedUpstream _upstream;
        private int _requests;

        public CountingUpstream(Func<string, string> answer) => _upstream = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is { } head)
            {
                Interlocked.Increment(ref _requests);
                await connection.WriteAsync(answer(head));
            }
        });

        public int Port => _upstream.Port;

        public int Requests => Volatile.Read(ref _requests);

        public ValueTask DisposeAsync() => _upstream.DisposeAsync();
    }
}
