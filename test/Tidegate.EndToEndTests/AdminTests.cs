using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>The admin listener of a whole gateway: what it counts, what it shows, and to whom.</summary>
public sealed class AdminTests
{
    private const string Token = "a-token-of-some-length";
    private const string Secret = "partner-key-1234";

    [Fact]
    public async Task Top_shows_every_api_of_the_last_minute()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync($$"""
            listeners: { ingress: { address: 127.0.0.1:0 } }
            apis: [{ name: orders, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }]
            """, Cancellation);
        using var client = new HttpClient();
        for (var i = 0; i < 7; i++)
        {
            await client.GetStringAsync($"http://{gateway["ingress"]}/", Cancellation);
        }

        await gateway.RecordsAsync(7, Cancellation);
        using var top = TidegateProcess.Start(["top", "--once", "--admin", gateway["admin"].ToString()]);
        Assert.Equal(0, await top.ExitCodeAsync(Cancellation));
        Assert.Contains(top.Lines, line => line.Contains("← orders", StringComparison.Ordinal) && line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Contains("7"));

        using var nobody = TidegateProcess.Start(["top", "--once", "--admin", "127.0.0.1:1"]);
        Assert.Equal(1, await nobody.ExitCodeAsync(Cancellation));
        Assert.Contains("No gateway answers at 127.0.0.1:1", Assert.Single(nobody.Lines), StringComparison.Ordinal);

        // Something else that speaks JSON is not taken for one.
        await using var other = ScriptedUpstream.Answering("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"apis\":[]}");
        using var elsewhere = TidegateProcess.Start(["top", "--once", "--admin", $"127.0.0.1:{other.Port}"]);
        Assert.Equal(1, await elsewhere.ExitCodeAsync(Cancellation));
        Assert.Contains("What answers there is no gateway.", Assert.Single(elsewhere.Lines), StringComparison.Ordinal);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_scrape_after_traffic_is_the_counted_truth()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(BothDirections(upstream.Port), Cancellation);
        using var client = new HttpClient();
        using var proxied = new HttpClient(new SocketsHttpHandler { Proxy = new WebProxy($"http://{gateway["egress"]}") });
        var bytes = 0;
        for (var i = 0; i < 7; i++)
        {
            bytes += (await SendAsync(client, $"http://{gateway["ingress"]}/orders/{i}", "X-Api-Key", Secret)).Length;
        }

        await SendAsync(client, $"http://{gateway["ingress"]}/orders/8");
        using var strangeHost = await client.SendAsync(Request($"http://{gateway["ingress"]}/x", "Host", "b.test"), Cancellation);
        for (var i = 0; i < 3; i++)
        {
            await SendAsync(proxied, $"http://127.0.0.1:{upstream.Port}/by-proxy");
        }

        await SendAsync(proxied, "http://no-such-host.invalid/");
        await gateway.RecordsAsync(13, Cancellation);

        var scrape = new PrometheusScrape(await SendAsync(client, $"http://{gateway["admin"]}/metrics"));
        Assert.Equal(13, scrape.Sum("tidegate_exchanges_total"));
        Assert.Equal(7, scrape.Sum("tidegate_exchanges_total", "api=\"orders\"", "consumer=\"partner\"", "tenant=\"acme\"", "environment=\"production\"", "method=\"GET\"", "status=\"200\"", "outcome=\"forwarded\""));
        Assert.Equal(bytes, scrape.Sum("tidegate_response_bytes_total", "consumer=\"partner\""));
        Assert.Equal(1, scrape.Sum("tidegate_exchanges_total", "direction=\"ingress\"", "status=\"401\"", "outcome=\"rejected\"", "code=\"credential_missing\""));
        Assert.Equal(1, scrape.Sum("tidegate_exchanges_total", "direction=\"ingress\"", "status=\"404\"", "code=\"no_route\""));
        Assert.Equal(3, scrape.Sum("tidegate_exchanges_total", "direction=\"egress\"", $"host=\"127.0.0.1:{upstream.Port}\"", "outcome=\"forwarded\""));
        Assert.Equal(1, scrape.Sum("tidegate_exchanges_total", "direction=\"egress\"", "host=\"other\"", "outcome=\"failed\"", "code=\"dns_failed\""));
        Assert.Equal(13, scrape.Sum("tidegate_exchange_duration_seconds_count"));
        Assert.Equal(13, scrape.Sum("tidegate_exchange_duration_seconds_bucket", "le=\"+Inf\""));
        Assert.Equal(11, scrape.Sum("tidegate_upstream_attempts_total"));
        Assert.Equal(0, scrape.Sum("tidegate_exchanges_in_flight"));
        Assert.Equal((13, 0, 0), (scrape.Sum("tidegate_records_total"), scrape.Sum("tidegate_records_dropped_total"), scrape.Sum("tidegate_sink_failures_total")));
        Assert.Equal((1, 1, 1), (scrape.Sum("tidegate_ready"), scrape.Sum("tidegate_build_info"), scrape.Sum("tidegate_snapshot_version")));
        Assert.True(scrape.Sum("tidegate_listener_connections", "listener=\"ingress\"") >= 1);
        Assert.All(
            (string[])["process_cpu_seconds_total", "process_resident_memory_bytes", "dotnet_gc_allocated_bytes_total", "dotnet_thread_pool_threads", "process_start_time_seconds"],
            name => Assert.True(scrape.Sum(name) > 0, name));
    }

    [Fact]
    public async Task What_is_in_flight_shows_while_it_is()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(BothDirections(upstream.Port), Cancellation);
        using var client = new HttpClient();
        upstream.NextEvent.Release();
        using var streaming = await client.SendAsync(Request($"http://{gateway["ingress"]}/events", "X-Api-Key", Secret), HttpCompletionOption.ResponseHeadersRead, Cancellation);

        var scrape = new PrometheusScrape(await SendAsync(client, $"http://{gateway["admin"]}/metrics"));
        Assert.Equal((1, 0), (scrape.Sum("tidegate_exchanges_in_flight", "direction=\"ingress\""), scrape.Sum("tidegate_exchanges_in_flight", "direction=\"egress\"")));
        upstream.NextEvent.Release(2);
        await streaming.Content.ReadAsStringAsync(Cancellation);
        await gateway.RecordsAsync(1, Cancellation);
        Assert.Equal(0, new PrometheusScrape(await SendAsync(client, $"http://{gateway["admin"]}/metrics")).Sum("tidegate_exchanges_in_flight"));
    }

    [Fact]
    public async Task Recent_exchanges_are_filtered_and_found_by_the_id_that_the_client_was_given()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(BothDirections(upstream.Port), Cancellation);
        using var client = new HttpClient();
        await SendAsync(client, $"http://{gateway["ingress"]}/orders/1?card=4111", "X-Api-Key", Secret);
        using var refused = await client.GetAsync($"http://{gateway["ingress"]}/orders/2", Cancellation);
        await SendAsync(client, $"http://{gateway["ingress"]}/orders/3", "X-Api-Key", Secret);
        await gateway.RecordsAsync(3, Cancellation);
        var id = refused.Headers.GetValues("Tidegate-Exchange").Single();

        Assert.Equal(["/orders/3", "/orders/2", "/orders/1"], await PathsAsync(client, gateway, ""));
        Assert.Equal(["/orders/3"], await PathsAsync(client, gateway, "?limit=1"));
        Assert.Equal(["/orders/2"], await PathsAsync(client, gateway, "?outcome=rejected"));
        Assert.Equal(["/orders/2"], await PathsAsync(client, gateway, "?status=4xx&api=orders"));
        Assert.Equal(["/orders/3", "/orders/1"], await PathsAsync(client, gateway, "?consumer=partner&status=200&direction=ingress"));
        Assert.Empty(await PathsAsync(client, gateway, "?api=other"));

        using var found = await JsonAsync(client, gateway, $"/api/v1/exchanges/{id}");
        Assert.Equal((id, "credential_missing", 401), (found.RootElement.GetProperty("exchange").GetString(), found.RootElement.GetProperty("code").GetString(), found.RootElement.GetProperty("status").GetInt32()));
        using var first = await JsonAsync(client, gateway, "/api/v1/exchanges?limit=1000&status=200");
        Assert.Equal("card=***", first.RootElement.GetProperty("exchanges")[1].GetProperty("query").GetString());
    }

    [Fact]
    public async Task Every_api_has_its_live_numbers_also_one_without_traffic()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(BothDirections(upstream.Port), Cancellation);
        using var client = new HttpClient();
        await SendAsync(client, $"http://{gateway["ingress"]}/slow", "X-Api-Key", Secret);
        await SendAsync(client, $"http://{gateway["ingress"]}/x");
        await gateway.RecordsAsync(2, Cancellation);

        using var apis = await JsonAsync(client, gateway, "/api/v1/apis");
        var byName = apis.RootElement.GetProperty("apis").EnumerateArray().ToDictionary(api => api.GetProperty("api").GetString()!);
        var busy = byName["orders"].GetProperty("since_start");
        Assert.Equal((2, 1, 1), (busy.GetProperty("exchanges").GetInt32(), busy.GetProperty("forwarded").GetInt32(), busy.GetProperty("rejected").GetInt32()));
        Assert.InRange(busy.GetProperty("total_ms").GetProperty("p99").GetDouble(), 250, 20_000);
        Assert.Equal(2, byName["orders"].GetProperty("last_minute").GetProperty("exchanges").GetInt32());
        Assert.Equal(0, byName["stripe"].GetProperty("since_start").GetProperty("exchanges").GetInt32());
    }

    [Theory]
    [InlineData("GET", "/nowhere", 404, "not_found")]
    [InlineData("GET", "/api/v1/exchanges/zz", 400, "parameter_invalid")]
    [InlineData("GET", "/api/v1/exchanges/0000000000000001", 404, "exchange_not_kept")]
    [InlineData("GET", "/api/v1/exchanges?limit=0", 400, "parameter_invalid")]
    [InlineData("GET", "/api/v1/exchanges?limit=1&limit=2", 400, "parameter_invalid")]
    [InlineData("GET", "/api/v1/exchanges?status=5", 400, "parameter_invalid")]
    [InlineData("GET", "/api/v1/exchanges?outcome=good", 400, "parameter_invalid")]
    [InlineData("GET", "/api/v1/exchanges?statsu=500", 400, "parameter_invalid")]
    [InlineData("POST", "/api/v1/status", 405, "method_not_allowed")]
    [InlineData("DELETE", "/livez", 405, "method_not_allowed")]
    public async Task What_cannot_be_answered_is_a_problem_that_says_why(string method, string path, int status, string code)
    {
        await using var gateway = await TestGateway.StartAsync(BothDirections(1), Cancellation);
        using var client = new HttpClient();
        using var answer = await client.SendAsync(new HttpRequestMessage(new HttpMethod(method), $"http://{gateway["admin"]}{path}"), Cancellation);
        using var problem = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Cancellation));

        Assert.Equal((status, "application/problem+json"), ((int)answer.StatusCode, answer.Content.Headers.ContentType!.MediaType));
        Assert.Equal((code, status), (problem.RootElement.GetProperty("code").GetString(), problem.RootElement.GetProperty("status").GetInt32()));
        Assert.Equal("urn:tidegate:problem:" + code, problem.RootElement.GetProperty("type").GetString());
        Assert.Equal(status == 405 ? "GET, HEAD" : "", string.Join(", ", answer.Content.Headers.Allow));
    }

    [Fact]
    public async Task No_answer_shows_a_secret_and_every_answer_has_the_security_fields()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(BothDirections(upstream.Port, $", admin: {{ address: 127.0.0.1:0, token: {Token} }}"), Cancellation);
        using var client = new HttpClient();
        await SendAsync(client, $"http://{gateway["ingress"]}/orders/1?key={Secret}", "X-Api-Key", Secret);
        await gateway.RecordsAsync(1, Cancellation);

        foreach (var path in (string[])["/livez", "/readyz", "/metrics", "/api/v1/status", "/api/v1/config", "/api/v1/apis", "/api/v1/exchanges", "/nowhere"])
        {
            using var answer = await client.SendAsync(Request($"http://{gateway["admin"]}{path}", "Authorization", "Bearer " + Token), Cancellation);
            var text = await answer.Content.ReadAsStringAsync(Cancellation);

            Assert.All((string[])[Token, Secret, "provider-secret"], secret => Assert.DoesNotContain(secret, text, StringComparison.Ordinal));
            Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
            Assert.True(answer.Headers.CacheControl!.NoStore);
            Assert.Contains("frame-ancestors 'none'", answer.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
            Assert.Empty(answer.Headers.Server);
        }
    }

    [Theory]
    [InlineData("/livez", null, 200)]
    [InlineData("/readyz", null, 200)]
    [InlineData("/metrics", null, 401)]
    [InlineData("/metrics", "Bearer wrong-token-of-some-length", 401)]
    [InlineData("/metrics", "Bearer " + Token, 200)]
    [InlineData("/api/v1/status", null, 401)]
    [InlineData("/api/v1/status", "Bearer " + Token, 200)]
    [InlineData("/api/v1/config", "Basic " + Token, 401)]
    [InlineData("/nowhere", null, 401)]
    [InlineData("/nowhere", "Bearer " + Token, 404)]
    public async Task The_token_is_needed_for_everything_but_health(string path, string? authorization, int status)
    {
        await using var gateway = await TestGateway.StartAsync(BothDirections(1, $", admin: {{ address: 0.0.0.0:0, token: {Token} }}"), Cancellation);
        using var client = new HttpClient();
        var request = new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{gateway["admin"].Port}{path}");
        request.Headers.Authorization = authorization is null ? null : AuthenticationHeaderValue.Parse(authorization);
        using var answer = await client.SendAsync(request, Cancellation);

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal(status == 401 ? "Bearer" : null, answer.Headers.WwwAuthenticate.SingleOrDefault()?.Scheme);
    }

    [Fact]
    public async Task A_reload_changes_the_token_at_once()
    {
        await using var gateway = await TestGateway.StartAsync(BothDirections(1, $", admin: {{ address: 127.0.0.1:0, token: {Token} }}"), Cancellation);
        using var client = new HttpClient();
        gateway.Reload(BothDirections(1, ", admin: { address: 127.0.0.1:0, token: another-token-of-length }"));

        using var old = await client.SendAsync(Request($"http://{gateway["admin"]}/api/v1/status", "Authorization", "Bearer " + Token), Cancellation);
        using var renewed = await client.SendAsync(Request($"http://{gateway["admin"]}/api/v1/status", "Authorization", "Bearer another-token-of-length"), Cancellation);
        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.OK), (old.StatusCode, renewed.StatusCode));
    }

    [Theory]
    [InlineData("attacker.example", 421)]
    [InlineData("127.0.0.1", 200)]
    [InlineData("localhost:1234", 200)]
    public async Task A_name_that_a_web_page_made_point_here_is_not_answered(string host, int status)
    {
        await using var gateway = await TestGateway.StartAsync(BothDirections(1), Cancellation);
        using var client = new HttpClient();
        using var answer = await client.SendAsync(Request($"http://{gateway["admin"]}/api/v1/config", "Host", host), Cancellation);

        Assert.Equal(status, (int)answer.StatusCode);
    }

    [Fact]
    public async Task The_admin_listener_cannot_be_reached_through_the_proxy_nor_on_a_traffic_port()
    {
        await using var gateway = await TestGateway.StartAsync(BothDirections(1), Cancellation);
        using var proxied = new HttpClient(new SocketsHttpHandler { Proxy = new WebProxy($"http://{gateway["egress"]}") });
        using var direct = new HttpClient();

        using var loop = await proxied.GetAsync($"http://{gateway["admin"]}/api/v1/config", Cancellation);
        using var onTraffic = await direct.GetAsync($"http://{gateway["egress"]}/metrics", Cancellation);
        Assert.Equal(508, (int)loop.StatusCode);
        Assert.Contains("no_base_path", await onTraffic.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task While_it_drains_the_gateway_is_not_ready_and_says_so_until_the_last_exchange_ended()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(BothDirections(upstream.Port), Cancellation);
        using var client = new HttpClient();
        Assert.Contains("\"ready\": true", await SendAsync(client, $"http://{gateway["admin"]}/readyz"), StringComparison.Ordinal);
        upstream.NextEvent.Release();
        using var streaming = await client.SendAsync(Request($"http://{gateway["ingress"]}/events", "X-Api-Key", Secret), HttpCompletionOption.ResponseHeadersRead, Cancellation);

        var draining = gateway.DrainAsync(TimeSpan.FromSeconds(60));
        using var notReady = await client.GetAsync($"http://{gateway["admin"]}/readyz", Cancellation);
        using var live = await client.GetAsync($"http://{gateway["admin"]}/livez", Cancellation);
        using var status = await JsonAsync(client, gateway, "/api/v1/status");

        Assert.False(draining.IsCompleted);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK), (notReady.StatusCode, live.StatusCode));
        Assert.Contains("\"state\": \"draining\"", await notReady.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        Assert.Equal(("draining", 1), (status.RootElement.GetProperty("state").GetString(), status.RootElement.GetProperty("in_flight").GetProperty("ingress").GetInt32()));
        upstream.NextEvent.Release(2);
        Assert.Equal("data: 1\n\ndata: 2\n\ndata: 3\n\n", await streaming.Content.ReadAsStringAsync(Cancellation));
        await draining;
    }

    [Fact]
    public async Task A_bad_reload_shows_in_status_and_metrics_and_a_good_one_clears_it()
    {
        await using var gateway = await TestGateway.StartAsync(BothDirections(1), Cancellation);
        using var client = new HttpClient();
        gateway.Reload("listenrs: {}");

        using var bad = await JsonAsync(client, gateway, "/api/v1/status");
        var failed = bad.RootElement.GetProperty("configuration").GetProperty("last_reload");
        Assert.False(failed.GetProperty("ok").GetBoolean());
        Assert.Contains(failed.GetProperty("problems").EnumerateArray(), problem => problem.GetString()!.Contains("unknown key 'listenrs', did you mean 'listeners'?", StringComparison.Ordinal));
        var scrape = new PrometheusScrape(await SendAsync(client, $"http://{gateway["admin"]}/metrics"));
        Assert.Equal((0, 1, 1), (scrape.Sum("tidegate_last_reload_successful"), scrape.Sum("tidegate_reloads_total", "result=\"failed\""), scrape.Sum("tidegate_snapshot_version")));

        gateway.Reload(BothDirections(2));
        using var good = await JsonAsync(client, gateway, "/api/v1/status");
        Assert.True(good.RootElement.GetProperty("configuration").GetProperty("last_reload").GetProperty("ok").GetBoolean());
        Assert.Equal(2, good.RootElement.GetProperty("configuration").GetProperty("snapshot_version").GetInt32());
    }

    [Fact]
    public async Task The_circuit_of_an_api_that_is_gone_bothers_nobody()
    {
        const string Down = """
            listeners: { ingress: { address: 127.0.0.1:0 } }
            apis: [{ name: down, direction: ingress, circuit_breaker: { minimum: 1 }, upstream: { destinations: ["http://127.0.0.1:1"] } }]
            """;
        await using var gateway = await TestGateway.StartAsync(Down, Cancellation);
        using var client = new HttpClient();
        using var failed = await client.GetAsync($"http://{gateway["ingress"]}/", Cancellation);
        var open = new PrometheusScrape(await SendAsync(client, $"http://{gateway["admin"]}/metrics"));
        gateway.Reload(Down.Replace("down", "other", StringComparison.Ordinal));
        var gone = new PrometheusScrape(await SendAsync(client, $"http://{gateway["admin"]}/metrics"));

        Assert.Equal(2, open.Sum("tidegate_circuit_state", "api=\"down\""));
        Assert.Equal(0, gone.Sum("tidegate_circuit_state"));
        Assert.Equal(0, gone.Sum("tidegate_circuit_opened_total"));
    }

    [Fact]
    public async Task Switched_off_it_does_not_listen()
    {
        await using var gateway = await TestGateway.StartAsync(BothDirections(1, ", admin: { address: off }"), Cancellation);

        Assert.Throws<InvalidOperationException>(() => gateway["admin"]);
    }

    [Fact]
    public async Task A_head_that_is_too_large_is_refused_and_head_has_no_content()
    {
        await using var gateway = await TestGateway.StartAsync(BothDirections(1), Cancellation);
        using var client = new HttpClient();
        using var large = await client.SendAsync(Request($"http://{gateway["admin"]}/livez", "X-Large", new string('x', 20_000)), Cancellation);
        using var head = await client.SendAsync(new HttpRequestMessage(HttpMethod.Head, $"http://{gateway["admin"]}/metrics"), Cancellation);

        Assert.Equal(431, (int)large.StatusCode);
        Assert.Equal((HttpStatusCode.OK, 0), (head.StatusCode, (await head.Content.ReadAsByteArrayAsync(Cancellation)).Length));
        Assert.True(head.Content.Headers.ContentLength > 0);
    }

    [Fact]
    public async Task More_connections_than_it_takes_are_closed_and_the_others_are_served()
    {
        await using var gateway = await TestGateway.StartAsync(BothDirections(1), Cancellation);
        var held = new List<TcpClient>();
        try
        {
            for (var i = 0; i < 256; i++)
            {
                held.Add(await ConnectAsync(gateway["admin"]));
                Assert.StartsWith("HTTP/1.1 200", await AskAsync(held[^1]), StringComparison.Ordinal);
            }

            held.Add(await ConnectAsync(gateway["admin"]));
            Assert.Equal("", await AskAsync(held[^1]));
            Assert.StartsWith("HTTP/1.1 200", await AskAsync(held[0]), StringComparison.Ordinal);
        }
        finally
        {
            held.ForEach(connection => connection.Dispose());
        }
    }

    private static async Task<TcpClient> ConnectAsync(IPEndPoint endPoint)
    {
        var client = new TcpClient();
        await client.ConnectAsync(endPoint, Cancellation);
        return client;
    }

    /// <summary>The answer's beginning; empty when the connection was closed instead.</summary>
    private static async Task<string> AskAsync(TcpClient client)
    {
        var buffer = new byte[4096];
        try
        {
            await client.GetStream().WriteAsync("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray(), Cancellation);
            return Encoding.ASCII.GetString(buffer, 0, await client.GetStream().ReadAsync(buffer, Cancellation));
        }
        catch (IOException)
        {
            // A reset is as closed as an end.
            return "";
        }
    }

    private static HttpRequestMessage Request(string url, string? name = null, string? value = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, url);
        if (name is not null)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return request;
    }

    private static async Task<string> SendAsync(HttpClient client, string url, string? name = null, string? value = null)
    {
        using var answer = await client.SendAsync(Request(url, name, value), Cancellation);
        return await answer.Content.ReadAsStringAsync(Cancellation);
    }

    private static async Task<JsonDocument> JsonAsync(HttpClient client, TestGateway gateway, string path) => JsonDocument.Parse(await SendAsync(client, $"http://{gateway["admin"]}{path}"));

    private static async Task<IEnumerable<string>> PathsAsync(HttpClient client, TestGateway gateway, string query)
    {
        using var answer = await JsonAsync(client, gateway, "/api/v1/exchanges" + query);
        return [.. answer.RootElement.GetProperty("exchanges").EnumerateArray().Select(exchange => exchange.GetProperty("path").GetString()!)];
    }

    private static string BothDirections(int upstreamPort, string admin = "") => $$"""
        listeners: { egress: { address: 127.0.0.1:0 }, ingress: { address: 127.0.0.1:0 }{{admin}} }
        defaults: { egress: { unlisted_hosts: allow } }
        consumers: [{ name: partner, tenant: acme, environment: production, credentials: [{ api_key: {{Secret}} }] }]
        apis:
          - { name: stripe, direction: egress, hosts: [api.stripe.com], credential: { header: Authorization, value: Bearer provider-secret } }
          - { name: orders, direction: ingress, hosts: [127.0.0.1], path: /, upstream: { destinations: ["http://127.0.0.1:{{upstreamPort}}"] }, authenticate: [api_key] }
        """;
}
