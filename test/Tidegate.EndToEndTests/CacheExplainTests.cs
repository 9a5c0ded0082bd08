using System.CommandLine;
using System.Net;
using System.Text.Json;
using Tidegate.Host.Commands;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary><c>explain --live</c> says of a call what that call would meet.</summary>
public sealed class CacheExplainTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_by_base_url_is_explained_by_the_url_that_is_called()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync($$"""
            listeners: { egress: { address: 127.0.0.1:0 } }
            apis: [{ name: provider, direction: egress, hosts: [provider.test], base_path: /provider, cache: { ttl: { success: 1m } }, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }]
            """, Cancellation);
        using var client = new HttpClient();
        var url = $"http://{gateway["egress"]}/provider/v1/things?a=b";
        await client.GetStringAsync(url, Cancellation);
        using var hit = await client.GetAsync(url, Cancellation);
        Assert.StartsWith("tidegate; hit", hit.Headers.GetValues("Cache-Status").Single(), StringComparison.Ordinal);

        foreach (var direction in (string[])["", "&direction=egress"])
        {
            var explained = await ExplainAsync(client, gateway, url, direction);
            Assert.Equal(("https://provider.test/v1/things?a=b", "provider", $"http://{gateway["egress"]}/provider"), (Text(explained, "url"), Text(explained, "api"), Text(explained, "base_url")));
            Assert.EndsWith("s: fresh, used as it is", Text(explained, "cache"), StringComparison.Ordinal);
        }

        var through = await ExplainAsync(client, gateway, "https://provider.test/v1/things?a=b", "");
        Assert.EndsWith("; nothing stored", Text(through, "cache"), StringComparison.Ordinal);
        Assert.Contains("/provider/v1/things", Text(through, "note"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_post_that_is_a_read_is_explained_by_its_content()
    {
        await using var upstream = new ScriptedUpstream(async connection =>
        {
            while (await connection.ReadRequestAsync() is not null)
            {
                await connection.WriteAsync("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nhello");
            }
        });
        await using var gateway = await TestGateway.StartAsync($$"""
            listeners: { ingress: { address: 127.0.0.1:0 } }
            apis:
              - name: all
                direction: ingress
                upstream: { destinations: [http://127.0.0.1:{{upstream.Port}}] }
                endpoints: [{ match: { path: /search, methods: [POST] }, cache: { key: { body: true } } }]
            """, Cancellation);
        using var client = new HttpClient();
        var url = $"http://{gateway["ingress"]}/search";
        using var searched = await client.PostAsync(url, new ByteArrayContent("one"u8.ToArray()), Cancellation);

        Assert.Contains("stored 200 of 5 bytes", await AskAsync("one"), StringComparison.Ordinal);
        Assert.EndsWith("; nothing stored", await AskAsync("two"), StringComparison.Ordinal);
        using var large = await client.PostAsync($"http://{gateway["admin"]}/api/v1/cache/explain?url={Uri.EscapeDataString(url)}&method=POST", new ByteArrayContent(new byte[70_000]), Cancellation);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, large.StatusCode);

        var console = new InvocationConfiguration { Output = new StringWriter(), Error = new StringWriter() };
        Assert.Equal(0, await ExplainCommand.Create().Parse(["POST", url, "--live", "-d", "one", "--admin", gateway["admin"].ToString()]).InvokeAsync(console, Cancellation));
        Assert.Contains("stored 200 of 5 bytes", console.Output.ToString(), StringComparison.Ordinal);
        Assert.NotEqual(0, await ExplainCommand.Create().Parse(["POST", url, "--live", "--data-file", "/nowhere/at/all", "--admin", gateway["admin"].ToString()]).InvokeAsync(console, Cancellation));
        Assert.Contains("/nowhere/at/all cannot be read", console.Error.ToString(), StringComparison.Ordinal);

        async Task<string> AskAsync(string content)
        {
            using var answer = await client.PostAsync($"http://{gateway["admin"]}/api/v1/cache/explain?url={Uri.EscapeDataString(url)}&method=POST", new StringContent(content), Cancellation);
            using var explained = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Cancellation));
            return Text(explained.RootElement, "cache");
        }
    }

    private static async Task<JsonElement> ExplainAsync(HttpClient client, TestGateway gateway, string url, string more)
    {
        using var explained = JsonDocument.Parse(await client.GetStringAsync($"http://{gateway["admin"]}/api/v1/cache/explain?url={Uri.EscapeDataString(url)}{more}", Cancellation));
        return explained.RootElement.Clone();
    }

    private static string Text(JsonElement explained, string name) => explained.GetProperty(name).GetString()!;
}
