using System.Net;
using System.Net.Http.Headers;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>What a provider says in its answers, over sockets: who is held back, who is not, and that the provider is left alone meanwhile.</summary>
public sealed class ProviderTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_refusal_with_Retry_After_starts_a_pause_for_all_callers_and_the_provider_is_not_called()
    {
        await using var provider = Provider(out var calls, _ => Answer(429, "Retry-After: 30"));
        await using var gateway = await TestGateway.StartAsync(Api(provider, "learn: on"), Cancellation);
        using var first = new HttpClient();
        using var second = new HttpClient();

        var refused = await first.GetAsync(Url(gateway), Cancellation);
        var held = await second.GetAsync(Url(gateway), Cancellation);

        Assert.Equal((HttpStatusCode.TooManyRequests, 30), (refused.StatusCode, refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds));
        Assert.Equal("the provider's own words", await refused.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal(HttpStatusCode.TooManyRequests, held.StatusCode);
        Assert.InRange(held.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 20, 30);
        Assert.Contains("\"code\":\"provider_cooling_down\"", await held.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        Assert.Equal(1, calls());
        var metrics = new PrometheusScrape(await first.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation));
        Assert.Equal(1, metrics.Sum("tidegate_provider_throttled_total", "api=\"provider\"", "kind=\"throttle\""));
        Assert.InRange(metrics.Sum("tidegate_provider_cooling_seconds", "api=\"provider\""), 15, 30);
        var records = await gateway.RecordsAsync(2, Cancellation);
        Assert.Equal(1, records.Count(record => record is { Outcome: Outcome.Rejected, Code: "provider_cooling_down", Attempts: 0, ProviderSignal: ProviderSignal.None }));
        Assert.Equal(1, records.Count(record => record is { Outcome: Outcome.Forwarded, ProviderSignal: ProviderSignal.Throttle }));
    }

    [Fact]
    public async Task The_first_quota_refusal_raises_a_counter_that_was_there_before()
    {
        await using var provider = Provider(out _, _ => Answer(200));
        await using var gateway = await TestGateway.StartAsync(Api(provider, "learn: on"), Cancellation);
        using var client = new HttpClient();

        var metrics = await client.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation);

        Assert.All((string[])["throttle", "concurrency", "quota", "billing", "overload", "permanent"], kind =>
            Assert.Contains($"tidegate_provider_throttled_total{{api=\"provider\",kind=\"{kind}\"}} 0\n", metrics, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Another_credential_is_another_count()
    {
        await using var provider = Provider(out var calls, request => request.Contains("Bearer a", StringComparison.Ordinal) ? Answer(429, "Retry-After: 30") : Answer(200));
        await using var gateway = await TestGateway.StartAsync(Api(provider, "learn: on"), Cancellation);

        Assert.Equal("429 200 429 200", string.Join(' ', [await StatusAsync(gateway, "a"), await StatusAsync(gateway, "b"), await StatusAsync(gateway, "a"), await StatusAsync(gateway, "b")]));
        Assert.Equal(3, calls());
    }

    [Fact]
    public async Task When_nothing_is_left_nothing_is_sent_before_the_wall_is_hit()
    {
        await using var provider = Provider(out var calls, _ => Answer(200, "RateLimit-Policy: \"default\";q=100;w=60", "RateLimit: \"default\";r=0;t=40"));
        await using var gateway = await TestGateway.StartAsync(Api(provider, "learn: on"), Cancellation);

        Assert.Equal(200, await StatusAsync(gateway));
        Assert.Equal(429, await StatusAsync(gateway));
        Assert.Equal(1, calls());
    }

    [Fact]
    public async Task GitHubs_secondary_limit_is_a_403_that_pauses_every_resource()
    {
        await using var provider = Provider(out var calls, _ => Answer(403, "Retry-After: 60", "x-ratelimit-remaining: 4000", "x-ratelimit-resource: search"));
        await using var gateway = await TestGateway.StartAsync(Api(provider, "provider: github, limits: [{ rate: 1000/s }]"), Cancellation);

        Assert.Equal(403, await StatusAsync(gateway, path: "search/code"));
        Assert.Equal(429, await StatusAsync(gateway, path: "repos/a/b"));
        Assert.Equal(1, calls());
    }

    [Fact]
    public async Task GitHubs_resources_are_counts_of_their_own()
    {
        await using var provider = Provider(out var calls, request => request.Contains("/search/", StringComparison.Ordinal)
            ? Answer(200, "x-ratelimit-limit: 30", "x-ratelimit-remaining: 0", "x-ratelimit-reset: 50", "x-ratelimit-resource: search")
            : Answer(200, "x-ratelimit-limit: 5000", "x-ratelimit-remaining: 4000", "x-ratelimit-reset: 50", "x-ratelimit-resource: core"));
        await using var gateway = await TestGateway.StartAsync(Api(provider, "provider: github, limits: [{ rate: 1000/s }]"), Cancellation);

        Assert.Equal("200 429 200 200 429", string.Join(' ',
            [await StatusAsync(gateway, path: "search/code"), await StatusAsync(gateway, path: "search/issues"), await StatusAsync(gateway, path: "repos/a/b"), await StatusAsync(gateway, path: "users/a"), await StatusAsync(gateway, path: "search/code")]));
        Assert.Equal(3, calls());
    }

    [Fact]
    public async Task Discords_buckets_are_refused_alone_and_a_global_refusal_stops_all()
    {
        await using var provider = Provider(out var calls, request => request.Contains("/channels/1/", StringComparison.Ordinal) ? Answer(429, "Retry-After: 30", "X-RateLimit-Bucket: b", "X-RateLimit-Scope: user")
            : request.Contains("/channels/9/", StringComparison.Ordinal) ? Answer(429, "Retry-After: 30", "X-RateLimit-Bucket: b", "X-RateLimit-Global: true")
            : Answer(200, "X-RateLimit-Bucket: b"));
        await using var gateway = await TestGateway.StartAsync(Api(provider, "provider: discord, limits: [{ rate: 1000/s }]"), Cancellation);
        static string Messages(int channel) => $"api/v10/channels/{channel}/messages";

        Assert.Equal("429 429 200", string.Join(' ', [await StatusAsync(gateway, path: Messages(1)), await StatusAsync(gateway, path: Messages(1)), await StatusAsync(gateway, path: Messages(2))]));
        Assert.Equal(2, calls());
        Assert.Equal("429 429", string.Join(' ', [await StatusAsync(gateway, path: Messages(9)), await StatusAsync(gateway, path: Messages(2))]));
        Assert.Equal(3, calls());
    }

    [Fact]
    public async Task A_pause_outlives_a_reload()
    {
        await using var provider = Provider(out var calls, _ => Answer(429, "Retry-After: 30"));
        await using var gateway = await TestGateway.StartAsync(Api(provider, "learn: on"), Cancellation);
        Assert.Equal(429, await StatusAsync(gateway));

        Assert.Empty(gateway.Reload(Api(provider, "learn: on, limits: [{ rate: 1000/s }]")));

        Assert.Equal(429, await StatusAsync(gateway));
        Assert.Equal(1, calls());
    }

    [Theory]
    [InlineData("Transfer-Encoding: chunked", "7\r\n{\"a\":1}\r\n0\r\n\r\n", "{\"a\":1}")]
    [InlineData("Content-Length: 0", "", "")]
    [InlineData("Content-Length: 40000", "40000", "40000")]
    public async Task An_error_whose_content_is_looked_into_is_passed_on_unchanged(string framing, string content, string expected)
    {
        var large = "{\"a\":\"" + new string('x', 40_000 - 8) + "\"}";
        await using var provider = Provider(out _, _ => $"HTTP/1.1 429 x\r\nContent-Type: application/json\r\n{framing}\r\n\r\n{(content == "40000" ? large : content)}");
        await using var gateway = await TestGateway.StartAsync(Api(provider, "provider: openai"), Cancellation);
        using var client = new HttpClient();

        Assert.Equal(expected == "40000" ? large : expected, await (await client.GetAsync(Url(gateway), Cancellation)).Content.ReadAsStringAsync(Cancellation));
    }

    [Fact]
    public async Task An_error_that_is_cut_short_is_never_passed_on_as_whole()
    {
        await using var provider = new ScriptedUpstream(async connection =>
        {
            await connection.ReadRequestAsync();
            await connection.WriteAsync("HTTP/1.1 429 x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"error\":");
        });
        await using var gateway = await TestGateway.StartAsync(Api(provider, "provider: openai"), Cancellation);
        using var client = new HttpClient();

        await Assert.ThrowsAnyAsync<Exception>(async () => await (await client.GetAsync(Url(gateway), Cancellation)).Content.ReadAsStringAsync(Cancellation));
        Assert.Equal(Outcome.Failed, (await gateway.RecordsAsync(1, Cancellation))[0].Outcome);
    }

    [Fact]
    public async Task Garbage_in_every_field_holds_nobody_and_is_counted()
    {
        await using var provider = Provider(out var calls, _ => Answer(200, "Retry-After: -5", "RateLimit: \"a;r=;;t", "X-RateLimit-Remaining: -1", "X-RateLimit-Reset: 99999999999999999999", "X-RateLimit-Limit: many", "retry-after-ms: 1e99"));
        await using var gateway = await TestGateway.StartAsync(Api(provider, "learn: on"), Cancellation);
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(200, await StatusAsync(gateway));
        }

        Assert.Equal(5, calls());
        using var client = new HttpClient();
        var metrics = new PrometheusScrape(await client.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation));
        Assert.InRange(metrics.Sum("tidegate_provider_signals_ignored_total", "api=\"provider\""), 5 * 5, 5 * 6);
    }

    [Fact]
    public async Task Where_the_api_queues_a_call_waits_for_the_pause_to_end()
    {
        var count = 0;
        await using var provider = Provider(out var calls, _ => Interlocked.Increment(ref count) == 1 ? Answer(429, "Retry-After: 3") : Answer(200));
        await using var gateway = await TestGateway.StartAsync(Api(provider, "limits: [{ rate: 1000/s, when_exceeded: queue, max_wait: 20s }]"), Cancellation);

        Assert.Equal(429, await StatusAsync(gateway));
        Assert.Equal(200, await StatusAsync(gateway));

        Assert.Equal(2, calls());
        var records = await gateway.RecordsAsync(2, Cancellation);
        Assert.InRange(records[1].Queue.TotalSeconds, 0.5, 20);
    }

    [Fact]
    public async Task An_unpaid_account_starts_no_pause_and_its_answer_is_passed_on_whole()
    {
        const string Content = """{"error":{"message":"You exceeded your current quota.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}""";
        await using var provider = Provider(out var calls, _ => $"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nContent-Length: {Content.Length}\r\n\r\n{Content}");
        await using var gateway = await TestGateway.StartAsync(Api(provider, "provider: openai"), Cancellation);
        using var client = new HttpClient();
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(Content, await (await client.GetAsync(Url(gateway), Cancellation)).Content.ReadAsStringAsync(Cancellation));
        }

        Assert.Equal(3, calls());
    }

    [Fact]
    public async Task Another_attempt_waits_for_the_pause_that_its_own_refusal_started()
    {
        var count = 0;
        await using var provider = Provider(out var calls, _ => Interlocked.Increment(ref count) == 1 ? Answer(429) : Answer(200));
        await using var gateway = await TestGateway.StartAsync(Api(provider, "limits: [{ rate: 1000/s }], retry: { attempts: 4, backoff: { base: 1ms, max: 5s } }"), Cancellation);

        Assert.Equal(200, await StatusAsync(gateway));
        Assert.Equal(2, calls());
    }

    [Fact]
    public async Task What_waiting_does_not_mend_is_not_attempted_again()
    {
        const string Content = """{"error":{"code":"insufficient_quota"}}""";
        await using var provider = Provider(out var calls, _ => $"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nContent-Length: {Content.Length}\r\n\r\n{Content}");
        await using var gateway = await TestGateway.StartAsync(Api(provider, "provider: openai, retry: { attempts: 3, backoff: { base: 1ms, max: 1s } }"), Cancellation);

        Assert.Equal(429, await StatusAsync(gateway));
        Assert.Equal(1, calls());
    }

    [Fact]
    public async Task Observed_nobody_is_held_back_and_the_record_says_who_would_have_been()
    {
        await using var provider = Provider(out var calls, _ => Answer(429, "Retry-After: 30"));
        await using var gateway = await TestGateway.StartAsync(Api(provider, "learn: observe"), Cancellation);
        await StatusAsync(gateway);
        await StatusAsync(gateway);

        Assert.Equal(2, calls());
        Assert.Single(await gateway.RecordsAsync(2, Cancellation), record => record.Observed.Any(decision => decision.Code == "provider_cooling_down"));
    }

    private static ScriptedUpstream Provider(out Func<int> calls, Func<string, string> answer)
    {
        var count = 0;
        calls = () => Volatile.Read(ref count);
        return new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is { } request)
            {
                Interlocked.Increment(ref count);
                await connection.WriteAsync(answer(request));
            }
        });
    }

    private static string Answer(int status, params string[] fields)
    {
        const string Content = "the provider's own words";
        return $"HTTP/1.1 {status} x\r\nContent-Type: text/plain\r\nContent-Length: {Content.Length}\r\n{string.Concat(fields.Select(field => field + "\r\n"))}\r\n{Content}";
    }

    private static string Api(ScriptedUpstream provider, string api) =>
        $$"""
        listeners: { egress: { address: 127.0.0.1:0 } }
        apis:
          - { name: provider, direction: egress, hosts: [provider.test], base_path: /provider, upstream: { destinations: [http://127.0.0.1:{{provider.Port}}] }, {{api}} }
        """;

    private static string Url(TestGateway gateway, string path = "") => $"http://{gateway["egress"]}/provider/{path}";

    private static async Task<int> StatusAsync(TestGateway gateway, string? credential = null, string path = "")
    {
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, Url(gateway, path));
        request.Headers.Authorization = credential is null ? null : new AuthenticationHeaderValue("Bearer", credential);
        return (int)(await client.SendAsync(request, Cancellation)).StatusCode;
    }
}
