using System.Net;
using System.Text;
using System.Text.Json;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>Headers and content of chosen exchanges, as HAR, over sockets.</summary>
public sealed class CaptureTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_error_is_captured_with_its_content_and_without_its_secrets_and_what_is_good_is_not()
    {
        const string Answer = """{"error":"down","token":"of-the-provider"}""";
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is { } request)
            {
                var isBad = request.Contains("/bad", StringComparison.Ordinal);
                await connection.WriteAsync($"HTTP/1.1 {(isBad ? "500 Internal Server Error" : "200 OK")}\r\nContent-Type: application/json\r\nSet-Cookie: a=of-the-provider\r\nContent-Length: {Answer.Length}\r\n\r\n{Answer}");
            }
        });
        await using var gateway = await StartAsync(upstream, "{ errors: true, redact: [customer] }");
        using var caller = new HttpClient();
        foreach (var path in (string[])["/good", "/bad?a=b"])
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"http://{gateway["ingress"]}{path}") { Content = new StringContent("""{"customer":"of-the-client","amount":7}""", Encoding.UTF8, "application/json") };
            request.Headers.Add("Authorization", "Bearer of-the-client");
            using var answer = await caller.SendAsync(request, Cancellation);

            // What is captured is passed on untouched.
            Assert.Equal(Answer, await answer.Content.ReadAsStringAsync(Cancellation));
        }

        var records = await gateway.RecordsAsync(2, Cancellation);
        var har = await HarAsync(caller, gateway, records[1].Id);
        Assert.DoesNotContain("of-the-", har, StringComparison.Ordinal);
        using var document = JsonDocument.Parse(har);
        var entry = document.RootElement.GetProperty("log").GetProperty("entries")[0];
        Assert.Equal("""{"customer":"***","amount":7}""", entry.GetProperty("request").GetProperty("postData").GetProperty("text").GetString());
        Assert.Equal("""{"error":"down","token":"***"}""", entry.GetProperty("response").GetProperty("content").GetProperty("text").GetString());
        Assert.Equal((500, "POST"), (entry.GetProperty("response").GetProperty("status").GetInt32(), entry.GetProperty("request").GetProperty("method").GetString()));
        Assert.Contains(entry.GetProperty("request").GetProperty("headers").EnumerateArray(), field => field.GetProperty("name").GetString() == "Authorization" && field.GetProperty("value").GetString() == "***");
        Assert.Contains("secrets masked", await caller.GetStringAsync($"http://{gateway["admin"]}/exchanges/{ExchangeId.Format(records[1].Id)}", Cancellation), StringComparison.Ordinal);

        using var good = JsonDocument.Parse(await HarAsync(caller, gateway, records[0].Id, isCaptured: false));
        Assert.Empty(good.RootElement.GetProperty("log").GetProperty("entries")[0].GetProperty("request").GetProperty("headers").EnumerateArray());
    }

    [Fact]
    public async Task Long_content_is_cut_and_streams_as_ever_and_other_kinds_are_not_kept()
    {
        var text = "{\"a\":\"" + new string('x', 100_000) + "\"}";
        await using var upstream = ScriptedUpstream.Answering($"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {text.Length}\r\n\r\n{text}");
        await using var gateway = await StartAsync(upstream, "{ sample: 100%, max_body: 1KB }");
        using var caller = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://{gateway["ingress"]}/") { Content = new StringContent("password: hunter2") };
        using var answer = await caller.SendAsync(request, Cancellation);
        Assert.Equal(text, await answer.Content.ReadAsStringAsync(Cancellation));

        using var har = JsonDocument.Parse(await HarAsync(caller, gateway, (await gateway.RecordsAsync(1, Cancellation))[0].Id));
        var entry = har.RootElement.GetProperty("log").GetProperty("entries")[0];
        Assert.Equal(1_024, entry.GetProperty("response").GetProperty("content").GetProperty("text").GetString()!.Length);
        Assert.False(entry.GetProperty("request").TryGetProperty("postData", out _));
        Assert.Contains("cannot be looked through", entry.GetProperty("comment").GetString(), StringComparison.Ordinal);
    }

    private static async Task<string> HarAsync(HttpClient caller, TestGateway gateway, ulong id, bool isCaptured = true)
    {
        // Secrets are taken out away from traffic: a moment later.
        for (var tries = 0; ; tries++)
        {
            using var answer = await caller.GetAsync($"http://{gateway["admin"]}/api/v1/exchanges/{ExchangeId.Format(id)}/har", Cancellation);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            var har = await answer.Content.ReadAsStringAsync(Cancellation);
            if (har.Contains("were not captured", StringComparison.Ordinal) != isCaptured)
            {
                return har;
            }

            Assert.True(tries < 1_200, har);
            await Task.Delay(50, Cancellation);
        }
    }

    private static Task<TestGateway> StartAsync(ScriptedUpstream upstream, string capture) => TestGateway.StartAsync($$"""
        listeners: { ingress: { address: 127.0.0.1:0 } }
        apis: [{ name: orders, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }]
        recording: { access_log: { path: off }, capture: {{capture}} }
        """, Cancellation);
}
