using System.Net;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>Limits from the configuration to the caller: who passes, who waits, who is told to come back, and what is recorded of it.</summary>
public sealed class LimitTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Ingress_beyond_its_rate_is_told_when_to_come_back_and_never_reaches_the_service()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port, "limits: [{ rate: 3/m }]"), Cancellation);
        using var client = new HttpClient();

        var answers = new List<HttpResponseMessage>();
        for (var i = 0; i < 5; i++)
        {
            answers.Add(await client.GetAsync($"http://{gateway["ingress"]}/", Cancellation));
        }

        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.TooManyRequests, HttpStatusCode.TooManyRequests], answers.Select(answer => answer.StatusCode));
        Assert.InRange(answers[4].Headers.RetryAfter!.Delta!.Value.TotalSeconds, 30, 60);
        Assert.Contains("\"code\":\"rate_limited\"", await answers[4].Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        var records = await gateway.RecordsAsync(5, Cancellation);
        Assert.Equal(2, records.Count(record => record is { Outcome: Outcome.Rejected, Reason: "limits", Code: "rate_limited", Attempts: 0 }));
    }

    [Fact]
    public async Task Each_consumer_has_a_count_of_its_own()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(
            """
            consumers:
              - { name: a, credentials: [{ api_key: key-of-consumer-a }] }
              - { name: b, credentials: [{ api_key: key-of-consumer-b }] }

            """ + Ingress(upstream.Port, "authenticate: [api_key], limits: [{ rate: 2/m, per: consumer }]"), Cancellation);
        using var client = new HttpClient();

        Assert.Equal("200 200 429", await StatusesAsync("key-of-consumer-a"));
        Assert.Equal("200 200 429", await StatusesAsync("key-of-consumer-b"));

        async Task<string> StatusesAsync(string key)
        {
            var statuses = new int[3];
            for (var i = 0; i < statuses.Length; i++)
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{gateway["ingress"]}/") { Headers = { { "X-Api-Key", key } } };
                statuses[i] = (int)(await client.SendAsync(request, Cancellation)).StatusCode;
            }

            return string.Join(" ", statuses);
        }
    }

    [Fact]
    public async Task Calls_that_queue_all_pass_and_the_provider_never_sees_more_than_the_rate()
    {
        const int Calls = 60;
        var arrivals = 0;
        await using var upstream = await EchoUpstream.StartAsync();
        upstream.OnRequest = () => Interlocked.Increment(ref arrivals);
        await using var gateway = await TestGateway.StartAsync(
            $$"""
            listeners: { egress: { address: 127.0.0.1:0 } }
            apis:
              - name: provider
                direction: egress
                hosts: [provider.test]
                base_path: /provider
                upstream: { destinations: [http://127.0.0.1:{{upstream.Port}}] }
                limits: [{ rate: 20/s, when_exceeded: queue, max_wait: 20s }]
            """,
            Cancellation);
        using var client = new HttpClient();

        var answers = await Task.WhenAll(Enumerable.Range(0, Calls).Select(_ => client.GetAsync($"http://{gateway["egress"]}/provider/", Cancellation)));

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        Assert.Equal(Calls, arrivals);

        // When each left the queue: not before it had waited, and not after it was forwarded. Between the two, and when it arrives, the machine has its say.
        var records = await gateway.RecordsAsync(Calls, Cancellation);
        var earliest = records.Select(record => record.Started + record.Queue).Order().ToList();
        var latest = records.Select(record => record.Started + record.Queue + record.Policies).Order().ToList();
        var slack = TimeSpan.FromMilliseconds(100);
        for (var i = 20; i < Calls; i++)
        {
            var after = latest[i] - earliest[i - 20];
            Assert.True(after >= TimeSpan.FromSeconds(1) - slack, $"Call {i} left {after.TotalMilliseconds:0} ms after the twentieth before it.");
        }

        // The first twenty did not wait; how long each of the others did depends on when the machine let it come.
        var waited = records.Count(record => record.Queue > TimeSpan.Zero);
        Assert.True(waited is >= 1 and <= 40, $"{waited} waited:\n" + string.Join('\n', records.OrderBy(record => record.Started).Select(record => $"{record.Started:ss.fffffff} {record.Queue.TotalMilliseconds} ms at {record.QueuePosition}, {record.Policies.TotalMilliseconds} ms")));
    }

    [Fact]
    public async Task A_place_in_flight_is_held_until_the_answer_is_over_even_when_the_client_leaves()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port, "limits: [{ concurrency: 1 }]"), Cancellation);
        using (var leaving = new HttpClient())
        {
            upstream.NextEvent.Release();
            await using var events = await leaving.GetStreamAsync($"http://{gateway["ingress"]}/events", Cancellation);
            await events.ReadExactlyAsync(new byte[4], Cancellation);
            using var other = new HttpClient();
            Assert.Equal(HttpStatusCode.TooManyRequests, (await other.GetAsync($"http://{gateway["ingress"]}/", Cancellation)).StatusCode);
        }

        await gateway.RecordsAsync(2, Cancellation);
        using var next = new HttpClient();
        Assert.Equal(HttpStatusCode.OK, (await next.GetAsync($"http://{gateway["ingress"]}/", Cancellation)).StatusCode);
    }

    [Fact]
    public async Task Counts_survive_a_reload_and_a_new_amount_holds_at_once()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port, "limits: [{ rate: 3/h }]"), Cancellation);
        using var client = new HttpClient();
        Assert.Equal(200, await StatusAsync());
        Assert.Equal(200, await StatusAsync());

        Assert.Empty(gateway.Reload(Ingress(upstream.Port, "limits: [{ rate: 4/h }]")));

        Assert.Equal(200, await StatusAsync());
        Assert.Equal(200, await StatusAsync());
        Assert.Equal(429, await StatusAsync());

        async Task<int> StatusAsync() => (int)(await client.GetAsync($"http://{gateway["ingress"]}/", Cancellation)).StatusCode;
    }

    [Fact]
    public async Task A_class_has_its_guaranteed_part_after_another_took_all_that_it_could()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(
            """
            consumers:
              - { name: a, environment: production, credentials: [{ api_key: key-of-consumer-a }] }
              - { name: b, environment: batch, credentials: [{ api_key: key-of-consumer-b }] }

            """ + Ingress(upstream.Port, "authenticate: [api_key], limits: [{ rate: 10/m, shares: { by: environment, of: [{ value: production, guaranteed: 30% }, { value: batch, max: 70% }] } }]"), Cancellation);
        using var client = new HttpClient();

        Assert.Equal((7, 3), (await PassedAsync("key-of-consumer-b"), await PassedAsync("key-of-consumer-a")));

        async Task<int> PassedAsync(string key)
        {
            var passed = 0;
            for (var i = 0; i < 12; i++)
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{gateway["ingress"]}/") { Headers = { { "X-Api-Key", key } } };
                passed += (await client.SendAsync(request, Cancellation)).StatusCode == HttpStatusCode.OK ? 1 : 0;
            }

            return passed;
        }
    }

    [Fact]
    public async Task What_an_answers_content_says_that_it_cost_is_what_counts()
    {
        const string Content = """{"data":{"shop":{"name":"x"}},"extensions":{"cost":{"requestedQueryCost":101,"actualQueryCost":45,"throttleStatus":{"maximumAvailable":1000.0,"currentlyAvailable":955,"restoreRate":50.0}}}}""";
        await using var upstream = ScriptedUpstream.Answering($"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {Content.Length}\r\n\r\n{Content}");
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port, "limits: [{ rate: 100 points/h, cost: { points: 10, response_json: /extensions/cost/actualQueryCost } }]"), Cancellation);
        using var client = new HttpClient();

        // Ten and forty-five, and with what is owed nothing more.
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(Content, await client.GetStringAsync($"http://{gateway["ingress"]}/", Cancellation));
        }

        Assert.Equal(HttpStatusCode.TooManyRequests, (await client.GetAsync($"http://{gateway["ingress"]}/", Cancellation)).StatusCode);
    }

    [Fact]
    public async Task What_a_requests_content_says_that_it_costs_is_charged_and_the_content_arrives_unchanged()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port, "limits: [{ rate: 100 points/h, cost: { json: /max_tokens } }]"), Cancellation);
        using var client = new HttpClient();
        var large = $$"""{"text":"{{new string('x', 300_000)}}","max_tokens":1000}""";

        Assert.Equal((HttpStatusCode.OK, """{"max_tokens":60}"""), await SendAsync("""{"max_tokens":60}"""));
        Assert.Equal(HttpStatusCode.TooManyRequests, (await SendAsync("""{"max_tokens":60}""")).Status);
        Assert.Equal((HttpStatusCode.OK, large), await SendAsync(large));
        var records = await gateway.RecordsAsync(3, Cancellation);
        Assert.Equal([UnreadCosts.None, UnreadCosts.None, UnreadCosts.Request], records.Select(record => record.UnreadCosts));

        async Task<(HttpStatusCode Status, string Content)> SendAsync(string json)
        {
            using var content = new StringContent(json, System.Text.Encoding.UTF8, "application/json");
            using var answer = await client.PostAsync($"http://{gateway["ingress"]}/echo", content, Cancellation);
            return (answer.StatusCode, await answer.Content.ReadAsStringAsync(Cancellation));
        }
    }

    [Theory]
    [InlineData("limits: [{ rate: 3/h }]", "")]
    [InlineData("limits: [{ rate: 3 points/h, cost: { response_header: cost } }], learn: off", "")]
    [InlineData("learn: on", "RateLimit: \"default\";r=2;t=3600\r\n")]
    public async Task What_a_policy_behind_it_refuses_is_given_back_and_not_held_against_the_provider(string limits, string field)
    {
        using var answers = new SemaphoreSlim(0);
        using var asked = new SemaphoreSlim(0);
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is not null)
            {
                asked.Release();
                await answers.WaitAsync(connection.Stopping);
                await connection.WriteAsync($"HTTP/1.1 200 OK\r\n{field}Content-Length: 2\r\n\r\nok");
            }
        });
        await using var gateway = await TestGateway.StartAsync(
            $$"""
            listeners: { egress: { address: 127.0.0.1:0 } }
            apis:
              - { name: all, direction: egress, hosts: [a.test], base_path: /a, upstream: { destinations: [http://127.0.0.1:{{upstream.Port}}] }, adaptive_concurrency: { min: 1, max: 1 }, {{limits}} }
            """,
            Cancellation);
        using var client = new HttpClient();
        answers.Release();
        Assert.Equal(HttpStatusCode.OK, await SendAsync());
        await asked.WaitAsync(Cancellation);
        var working = SendAsync();
        await asked.WaitAsync(Cancellation);
        for (var i = 0; i < 10; i++)
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, await SendAsync());
        }

        answers.Release(2);
        Assert.Equal(HttpStatusCode.OK, await working);

        // A client has the last byte before the gateway is done with its exchange, and its place in flight is free.
        await gateway.RecordsAsync(12, Cancellation);
        Assert.Equal(HttpStatusCode.OK, await SendAsync());

        async Task<HttpStatusCode> SendAsync()
        {
            using var answer = await client.GetAsync($"http://{gateway["egress"]}/a/", Cancellation);
            return answer.StatusCode;
        }
    }

    [Fact]
    public async Task In_observe_mode_nobody_is_refused_and_the_record_says_who_would_have_been()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Ingress(upstream.Port, "limits: [{ rate: 1/h, mode: observe }]"), Cancellation);
        using var client = new HttpClient();
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(HttpStatusCode.OK, (await client.GetAsync($"http://{gateway["ingress"]}/", Cancellation)).StatusCode);
        }

        var records = await gateway.RecordsAsync(3, Cancellation);
        Assert.Equal(2, records.Count(record => record.Observed.Any(decision => decision is { Policy: "limits", Code: "rate_limited" })));
    }

    private static string Ingress(int port, string api) =>
        $$"""
        listeners: { ingress: { address: 127.0.0.1:0 } }
        apis:
          - { name: all, direction: ingress, upstream: { destinations: [http://127.0.0.1:{{port}}] }, {{api}} }
        """;
}
