using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>A provider's webhook comes in at one edge, and what the other edge has stored of that provider's answers is asked for again.</summary>
public sealed class WebhookTests
{
    private const string Secret = "whsec_0123456789abcdef";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_signed_webhook_purges_what_it_speaks_of_and_an_unsigned_one_nothing()
    {
        var asked = 0;
        await using var provider = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is { } head)
            {
                Interlocked.Increment(ref asked);
                var id = head.Split(' ')[1].Split('/')[^1];
                await connection.WriteAsync($"HTTP/1.1 200 OK\r\nCache-Control: private, max-age=86400\r\nSurrogate-Key: product-{id}\r\nContent-Length: 2\r\n\r\nok");
            }
        });
        var delivered = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await using var service = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is { } request)
            {
                delivered.Enqueue(request);
                await connection.WriteAsync("HTTP/1.1 204 No Content\r\n\r\n");
            }
        });
        await using var gateway = await TestGateway.StartAsync(
            $$"""
            listeners: { egress: { address: 127.0.0.1:0 }, ingress: { address: 127.0.0.1:0 } }
            apis:
              - { name: provider, direction: egress, hosts: [provider.test], base_path: /provider, upstream: { destinations: [http://127.0.0.1:{{provider.Port}}] }, cache: { mode: standard } }
              - name: hooks
                direction: ingress
                upstream: { destinations: [http://127.0.0.1:{{service.Port}}] }
                endpoints:
                  - match: { path: /hooks/provider, methods: [POST] }
                    webhook:
                      signature: stripe
                      secret: {{Secret}}
                      purges:
                        - { api: provider, tags: ["product-{/data/object/id}"] }
                        - { api: provider, urls: ["https://provider.test/v1/lists/{/data/object/list}"] }
            """,
            Cancellation);
        using var client = new HttpClient();
        string[] paths = ["/v1/products/1", "/v1/products/2", "/v1/lists/new"];
        Assert.Equal(3, await AskedForAsync(paths));
        Assert.Equal(0, await AskedForAsync(paths));

        const string Event = "{\"type\":\"product.updated\",\"data\":{\"object\":{\"id\":\"1\",\"list\":\"new\"}}}";
        Assert.Equal(HttpStatusCode.Forbidden, (await SendAsync(Event, "t=1,v1=00")).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await SendAsync(Event, Signed(Event, "whsec_somebody_elses_key"))).StatusCode);
        Assert.Equal(0, await AskedForAsync(paths));
        Assert.Empty(delivered);

        var signature = Signed(Event, Secret);
        Assert.Equal(HttpStatusCode.NoContent, (await SendAsync(Event, signature)).StatusCode);
        Assert.EndsWith(Event, Assert.Single(delivered), StringComparison.Ordinal);
        Assert.Equal(0, await AskedForAsync("/v1/products/2"));
        Assert.Equal(1, await AskedForAsync("/v1/products/1"));
        Assert.Equal(1, await AskedForAsync("/v1/lists/new"));

        Assert.Equal(HttpStatusCode.Conflict, (await SendAsync(Event, signature)).StatusCode);
        Assert.Equal(0, await AskedForAsync(paths));

        var records = (await gateway.RecordsAsync(19, Cancellation)).Where(record => record.Direction == Direction.Ingress).ToList();
        Assert.Equal(["webhook_replayed", "webhook_signature_wrong", "webhook_unsigned"], records.Select(record => record.Code).Where(code => code.Length > 0).Order());
        Assert.Equal(2, Assert.Single(records, record => record.Status == 204).CachePurges);
        Assert.All(records.Where(record => record.Status != 204), record => Assert.Equal(0, record.CachePurges));

        async Task<int> AskedForAsync(params string[] wanted)
        {
            var before = Volatile.Read(ref asked);
            foreach (var path in wanted)
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{gateway["egress"]}/provider{path}") { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", "a") } };
                (await client.SendAsync(request, Cancellation)).EnsureSuccessStatusCode();
            }

            return Volatile.Read(ref asked) - before;
        }

        Task<HttpResponseMessage> SendAsync(string content, string signature)
        {
            var request = new HttpRequestMessage(HttpMethod.Post, $"http://{gateway["ingress"]}/hooks/provider") { Content = new StringContent(content, Encoding.UTF8, "application/json") };
            request.Headers.Add("Stripe-Signature", signature);
            return client.SendAsync(request, Cancellation);
        }
    }

    private static string Signed(string content, string key)
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        return $"t={now},v1={Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(now + "." + content)))}";
    }
}
