using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;
using Tidegate.Exchanges;
using Tidegate.Policies.Capture;
using Tidegate.Recording;

namespace Tidegate.Control.Admin;

/// <summary>An exchange as HAR 1.2, which browsers and other tools open. Headers and content are there when they were captured.</summary>
internal static class HarDocument
{
    public const string Suffix = "/har";

    private static readonly string Version = typeof(HarDocument).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "unknown";

    public static void Write(Utf8JsonWriter json, in ExchangeRecord record, CapturedExchange? captured)
    {
        json.WriteStartObject();
        json.WriteStartObject("log");
        json.WriteString("version", "1.2");
        json.WriteStartObject("creator");
        json.WriteString("name", "Tidegate");
        json.WriteString("version", Version);
        json.WriteEndObject();
        json.WriteStartArray("entries");
        json.WriteStartObject();
        json.WriteString("startedDateTime", record.Started);
        json.WriteNumber("time", Milliseconds(record.Total));
        WriteRequest(json, in record, captured?.Request);
        WriteResponse(json, in record, captured?.Response);
        json.WriteStartObject("cache");
        json.WriteEndObject();
        WriteTimings(json, in record);
        json.WriteString("comment", captured is null ? "Headers and content were not captured." : $"Captured ({captured.Why}); secrets are masked. {captured.Request.WhyNot} {captured.Response.WhyNot}".TrimEnd());
        json.WriteString("_exchange", ExchangeId.Format(record.Id));
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteRequest(Utf8JsonWriter json, in ExchangeRecord record, CapturedMessage? message)
    {
        var target = new ExchangeTarget(record.Scheme, record.Host, record.Port, record.Path, record.Query);
        json.WriteStartObject("request");
        json.WriteString("method", record.Method);
        json.WriteString("url", target.ToString());
        json.WriteString("httpVersion", ExchangeWords.WithName(record.ClientProtocol));
        WriteFields(json, message);
        json.WriteStartArray("queryString");
        foreach (var parameter in (record.Query ?? "").Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = parameter.IndexOf('=', StringComparison.Ordinal);
            WritePair(json, equals < 0 ? parameter : parameter[..equals], equals < 0 ? "" : parameter[(equals + 1)..]);
        }

        json.WriteEndArray();
        json.WriteNumber("headersSize", -1);
        json.WriteNumber("bodySize", record.RequestBytes);
        if (message?.Content is { } content)
        {
            json.WriteStartObject("postData");
            json.WriteString("mimeType", Field(message, "content-type"));
            json.WriteString("text", content);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WriteResponse(Utf8JsonWriter json, in ExchangeRecord record, CapturedMessage? message)
    {
        json.WriteStartObject("response");
        json.WriteNumber("status", record.Status);
        json.WriteString("statusText", ReasonPhrases.GetReasonPhrase(record.Status));
        json.WriteString("httpVersion", ExchangeWords.WithName(record.ClientProtocol));
        WriteFields(json, message);
        json.WriteStartObject("content");
        json.WriteNumber("size", record.ResponseBytes);
        json.WriteString("mimeType", message is null ? "" : Field(message, "content-type"));
        if (message?.Content is { } content)
        {
            json.WriteString("text", content);
        }

        json.WriteEndObject();
        json.WriteString("redirectURL", message is null ? "" : Field(message, "location"));
        json.WriteNumber("headersSize", -1);
        json.WriteNumber("bodySize", record.ResponseBytes);
        json.WriteEndObject();
    }

    private static void WriteFields(Utf8JsonWriter json, CapturedMessage? message)
    {
        // Cookies are secrets: their fields are there, masked.
        json.WriteStartArray("cookies");
        json.WriteEndArray();
        json.WriteStartArray("headers");
        foreach (var (name, value) in message?.Fields ?? [])
        {
            WritePair(json, name, value);
        }

        json.WriteEndArray();
    }

    private static void WriteTimings(Utf8JsonWriter json, in ExchangeRecord record)
    {
        var wait = record.TimeToFirstByte > record.Connect ? record.TimeToFirstByte - record.Connect : TimeSpan.Zero;
        var rest = record.Total - record.Queue - record.Policies - record.Connect - wait;
        json.WriteStartObject("timings");
        json.WriteNumber("blocked", Milliseconds(record.Queue + record.Policies));
        json.WriteNumber("dns", -1);
        json.WriteNumber("connect", record.Connect == TimeSpan.Zero ? -1 : Milliseconds(record.Connect));
        json.WriteNumber("ssl", -1);
        json.WriteNumber("send", 0);
        json.WriteNumber("wait", Milliseconds(wait));
        json.WriteNumber("receive", Milliseconds(rest > TimeSpan.Zero ? rest : TimeSpan.Zero));
        json.WriteEndObject();
    }

    private static void WritePair(Utf8JsonWriter json, string name, string value)
    {
        json.WriteStartObject();
        json.WriteString("name", name);
        json.WriteString("value", value);
        json.WriteEndObject();
    }

    private static string Field(CapturedMessage message, string name) => message.Fields.FirstOrDefault(field => field.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Value ?? "";

    private static double Milliseconds(TimeSpan duration) => Math.Round(duration.TotalMilliseconds, 4);
}
