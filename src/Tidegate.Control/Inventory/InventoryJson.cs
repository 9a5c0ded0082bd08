using System.Text.Json;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Inventory;

/// <summary>What is known of a host as JSON, in the file and in the admin API alike.</summary>
internal static class InventoryJson
{
    private static readonly (AuthFields Field, string Word)[] AuthWords = [(AuthFields.Authorization, "authorization"), (AuthFields.Key, "key"), (AuthFields.Cookie, "cookie")];

    public static void Write(Utf8JsonWriter json, FoundHost host, bool withEndpoints)
    {
        json.WriteStartObject();
        json.WriteString("direction", ExchangeWords.Of(host.Direction));
        json.WriteString("host", host.Host);
        WriteTexts(json, "apis", host.Apis);
        json.WriteString("first_seen", host.FirstSeen);
        json.WriteString("last_seen", host.LastSeen);
        json.WriteNumber("calls", host.Calls);
        json.WriteNumber("rejected", host.Rejected);
        json.WriteNumber("denied", host.Denied);
        json.WriteNumber("tunnels", host.Tunnels);
        if (!withEndpoints)
        {
            json.WriteNumber("endpoint_count", host.Paths.All().Count());
            json.WriteEndObject();
            return;
        }

        json.WriteStartArray("endpoints");
        foreach (var (path, endpoint) in host.Paths.All())
        {
            Write(json, path, endpoint);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>A host as it was written; null when it is none.</summary>
    public static FoundHost? Read(JsonElement json)
    {
        var direction = Text(json, "direction");
        if (Text(json, "host") is not { Length: > 0 } name || direction is not ("egress" or "ingress"))
        {
            return null;
        }

        var host = new FoundHost
        {
            Direction = direction == "egress" ? Direction.Egress : Direction.Ingress,
            Host = name,
            FirstSeen = Time(json, "first_seen"),
            LastSeen = Time(json, "last_seen"),
            Calls = Number(json, "calls"),
            Rejected = Number(json, "rejected"),
            Denied = Number(json, "denied"),
            Tunnels = Number(json, "tunnels"),
        };
        foreach (var api in Texts(json, "apis"))
        {
            host.AddApi(api);
        }

        foreach (var endpoint in json.TryGetProperty("endpoints", out var endpoints) ? endpoints.EnumerateArray() : [])
        {
            ReadEndpoint(host, endpoint);
        }

        return host;
    }

    /// <summary>By which fields its callers say who they are.</summary>
    public static IEnumerable<string> AuthOf(FoundEndpoint endpoint) =>
        AuthWords.Where(word => endpoint.Auth.HasFlag(word.Field)).Select(word => word.Word).Concat(endpoint.HasKeyInQuery ? ["query"] : (string[])[]);

    /// <summary>The version that a path names; empty for none.</summary>
    public static string VersionOf(string path) => path.Split('/').FirstOrDefault(segment => PathSegment.IsVersion(segment)) ?? "";

    private static void Write(Utf8JsonWriter json, string path, FoundEndpoint endpoint)
    {
        json.WriteStartObject();
        json.WriteString("path", path);
        json.WriteString("method", endpoint.Method);
        if (VersionOf(path) is { Length: > 0 } version)
        {
            json.WriteString("version", version);
        }

        json.WriteString("api", endpoint.Api);
        json.WriteString("endpoint", endpoint.Endpoint);
        json.WriteString("first_seen", endpoint.FirstSeen);
        json.WriteString("last_seen", endpoint.LastSeen);
        json.WriteNumber("calls", endpoint.Calls);
        json.WriteNumber("errors", endpoint.Errors);
        json.WriteNumber("client_errors", endpoint.ClientErrors);
        WriteTexts(json, "auth", AuthOf(endpoint));
        WriteTexts(json, "callers", endpoint.Callers);
        json.WriteBoolean("more_callers", endpoint.HasMoreCallers);
        json.WriteEndObject();
    }

    private static void ReadEndpoint(FoundHost host, JsonElement json)
    {
        if (Text(json, "path") is not { Length: > 0 } path || Text(json, "method") is not { Length: > 0 } method || host.FindSaved(path, method) is not { } endpoint)
        {
            return;
        }

        var saved = new FoundEndpoint
        {
            Method = method,
            Api = Text(json, "api"),
            Endpoint = Text(json, "endpoint"),
            FirstSeen = Time(json, "first_seen"),
            LastSeen = Time(json, "last_seen"),
            Calls = Math.Max(1, Number(json, "calls")),
            Errors = Number(json, "errors"),
            ClientErrors = Number(json, "client_errors"),
            HasMoreCallers = json.TryGetProperty("more_callers", out var more) && more.ValueKind == JsonValueKind.True,
        };
        foreach (var word in Texts(json, "auth"))
        {
            saved.Auth |= AuthWords.FirstOrDefault(known => known.Word == word).Field;
            saved.HasKeyInQuery |= word == "query";
        }

        foreach (var caller in Texts(json, "callers"))
        {
            saved.AddCaller(caller);
        }

        endpoint.FirstSeen = endpoint.Calls == 0 ? saved.FirstSeen : endpoint.FirstSeen;
        endpoint.Add(saved);
    }

    private static void WriteTexts(Utf8JsonWriter json, string name, IEnumerable<string> texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts)
        {
            json.WriteStringValue(text);
        }

        json.WriteEndArray();
    }

    private static string Text(JsonElement json, string name) => json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static long Number(JsonElement json, string name) => json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) ? number : 0;

    private static DateTimeOffset Time(JsonElement json, string name) => json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && value.TryGetDateTimeOffset(out var time) ? time : default;

    private static IEnumerable<string> Texts(JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.String).Select(item => item.GetString()!) : [];
}
