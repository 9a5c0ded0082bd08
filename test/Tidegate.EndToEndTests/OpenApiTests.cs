using System.Text.Json;
using Tidegate.Control.Admin;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>The description of the admin API and the API itself say the same.</summary>
public sealed class OpenApiTests : IDisposable
{
    private readonly string _exchanges = Directory.CreateTempSubdirectory("tidegate-openapi-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_exchanges, recursive: true);

    [Fact]
    public async Task Every_path_is_described_and_answers_as_described_with_every_parameter_that_it_has()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync($$"""
            listeners: { egress: { address: 127.0.0.1:0 }, ingress: { address: 127.0.0.1:0 } }
            consumers: [{ name: x, credentials: [{ api_key: key-of-the-consumer-x }] }]
            apis:
              - { name: provider, direction: egress, hosts: [provider.test], base_path: /provider, cost: { per_request: 0.01 USD }, cache: { mode: standard }, retry: {}, upstream: { destinations: ["http://127.0.0.1:{{upstream.Port}}"] } }
              - { name: orders, direction: ingress, authenticate: [{ api_key: {}, required: false }], upstream: { destinations: ["http://127.0.0.1:1"] } }
            """, Cancellation, exchanges: _exchanges);
        using var caller = new HttpClient { BaseAddress = new Uri($"http://{gateway["admin"]}") };
        for (var i = 0; i < 3; i++)
        {
            await caller.GetStringAsync($"http://{gateway["egress"]}/provider/v1/things/{i}?a=b", Cancellation);
            using var failed = await caller.GetAsync($"http://{gateway["ingress"]}/orders/{i}", Cancellation);
        }

        var id = Exchanges.ExchangeId.Format((await gateway.RecordsAsync(6, Cancellation))[0].Id);
        using var description = JsonDocument.Parse(await caller.GetStringAsync("/api/v1/openapi.json", Cancellation));
        var root = description.RootElement;
        Assert.StartsWith("3.1", root.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        Assert.Equal(AdminHandler.Paths.Order(StringComparer.Ordinal), root.GetProperty("paths").EnumerateObject().Select(path => path.Name).Order(StringComparer.Ordinal));
        foreach (var path in root.GetProperty("paths").EnumerateObject())
        {
            if (!path.Value.TryGetProperty("get", out var get) || path.Name.EndsWith("/tail", StringComparison.Ordinal))
            {
                continue;
            }

            var parameters = get.TryGetProperty("parameters", out var listed) ? listed.EnumerateArray().Where(parameter => parameter.GetProperty("in").GetString() == "query").ToList() : [];
            var needed = string.Join('&', parameters.Where(parameter => parameter.TryGetProperty("required", out var required) && required.GetBoolean()).Select(Example));
            await AnswersAsync(root, caller, get, path.Name.Replace("{id}", id, StringComparison.Ordinal) + "?" + needed);
            foreach (var parameter in parameters)
            {
                await AnswersAsync(root, caller, get, path.Name + "?" + (needed.Length == 0 || needed.Contains(Example(parameter), StringComparison.Ordinal) ? "" : needed + "&") + Example(parameter));
            }
        }
    }

    [Fact]
    public async Task What_is_not_described_is_refused()
    {
        await using var gateway = await TestGateway.StartAsync("listeners: { egress: { address: 127.0.0.1:0 } }", Cancellation, exchanges: _exchanges);
        using var caller = new HttpClient { BaseAddress = new Uri($"http://{gateway["admin"]}") };
        foreach (var path in (string[])["/api/v1/exchanges", "/api/v1/exchanges/search", "/api/v1/exchanges/tail", "/api/v1/series", "/api/v1/inventory", "/api/v1/cache/explain"])
        {
            using var answer = await caller.GetAsync(path + "?no_such_parameter=1", Cancellation);
            Assert.Equal((path, 400), (path, (int)answer.StatusCode));
        }
    }

    private static string Example(JsonElement parameter)
    {
        var name = parameter.GetProperty("name").GetString()!;
        var schema = parameter.GetProperty("schema");
        var value = schema.TryGetProperty("enum", out var words) ? words[0].GetString()!
            : name switch
            {
                "last" => "2h",
                "from" => DateTimeOffset.UtcNow.AddHours(-3).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture),
                "to" => DateTimeOffset.UtcNow.AddHours(1).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture),
                "step" => "5m",
                "group_by" => "api,status",
                "status" => "5xx",
                "after" => "8dd0000000000-0000000000000001",
                "url" => "https://provider.test/v1/things/0",
                "header" => "Accept: text/plain",
                _ when schema.GetProperty("type").GetString() is "integer" or "number" => "5",
                _ => "x",
            };

        return $"{name}={Uri.EscapeDataString(value)}";
    }

    private static async Task AnswersAsync(JsonElement root, HttpClient caller, JsonElement operation, string url)
    {
        using var answer = await caller.GetAsync(url, Cancellation);
        var text = await answer.Content.ReadAsStringAsync(Cancellation);
        Assert.True(operation.GetProperty("responses").TryGetProperty(((int)answer.StatusCode).ToString(System.Globalization.CultureInfo.InvariantCulture), out var described), $"{url}: {(int)answer.StatusCode} {text}");
        Assert.True((int)answer.StatusCode == 200, $"{url}: {text}");
        var type = answer.Content.Headers.ContentType!.MediaType!;
        Assert.True(described.GetProperty("content").TryGetProperty(type, out var content), $"{url}: {type} is not described");
        if (type == "application/json")
        {
            using var json = JsonDocument.Parse(text);
            Fits(root, content.GetProperty("schema"), json.RootElement, url);
        }
    }

    /// <summary>As much of JSON Schema as the description uses.</summary>
    private static void Fits(JsonElement root, JsonElement schema, JsonElement value, string place)
    {
        if (schema.TryGetProperty("$ref", out var reference))
        {
            Fits(root, root.GetProperty("components").GetProperty("schemas").GetProperty(reference.GetString()!.Split('/')[^1]), value, place);
            return;
        }

        var type = schema.GetProperty("type").GetString();
        var fits = value.ValueKind switch
        {
            JsonValueKind.Object => type == "object",
            JsonValueKind.Array => type == "array",
            JsonValueKind.String => type == "string" && (!schema.TryGetProperty("enum", out var words) || words.EnumerateArray().Any(word => word.GetString() == value.GetString())),
            JsonValueKind.Number => type == "number" || (type == "integer" && value.TryGetInt64(out _)),
            JsonValueKind.True or JsonValueKind.False => type == "boolean",
            _ => false,
        };
        Assert.True(fits, $"{place}: {value.GetRawText()} is not the {type} that is described");
        if (type == "array")
        {
            foreach (var item in value.EnumerateArray())
            {
                Fits(root, schema.GetProperty("items"), item, place + "[]");
            }
        }
        else if (type == "object")
        {
            FitsObject(root, schema, value, place);
        }
    }

    private static void FitsObject(JsonElement root, JsonElement schema, JsonElement value, string place)
    {
        foreach (var required in schema.TryGetProperty("required", out var names) ? names.EnumerateArray() : [])
        {
            Assert.True(value.TryGetProperty(required.GetString()!, out _), $"{place}: {required} is missing");
        }

        var isOpen = !schema.TryGetProperty("additionalProperties", out var rest) || rest.ValueKind == JsonValueKind.Object;
        foreach (var member in value.EnumerateObject())
        {
            if (schema.TryGetProperty("properties", out var properties) && properties.TryGetProperty(member.Name, out var described))
            {
                Fits(root, described, member.Value, place + "." + member.Name);
            }
            else if (isOpen && rest.ValueKind == JsonValueKind.Object)
            {
                Fits(root, rest, member.Value, place + "." + member.Name);
            }
            else
            {
                Assert.True(isOpen, $"{place}: {member.Name} is not described");
            }
        }
    }
}
