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
        var port = fault == "gone" ? FreePort() : first.Port;
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

    [Fact]
    public async Task When_all_are_down_the_fixed_answer_stands_in_and_says_so()
    {
        await using var gateway = await StartAsync(
            $$"""
            upstream: { destinations: ["http://127.0.0.1:{{FreePort()}}", "http://127.0.0.1:{{FreePort()}}"] }
            retry: { attempts: 2, backoff: { base: 1ms } }
            circuit_breaker: { minimum: 2, open_for: 1m }
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
            timeouts: {"{ connect: 2s, response_headers: 5s }"}
            {more.ReplaceLineEndings("\n    ")}
        """,
        Cancellation);

    private static int FreePort()
    {
        using var listener = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
