using System.Text.Json;
using Tidegate.Exchanges;

namespace Tidegate.Recording;

/// <summary>One record as a JSON object: a line of the access log and an item of the admin API, in the same words.</summary>
internal static class ExchangeJson
{
    public static void Write(Utf8JsonWriter json, ExchangeRecord record)
    {
        json.WriteStartObject();
        json.WriteString("time", record.Started);
        json.WriteString("exchange", ExchangeId.Format(record.Id));
        if (record.Trace.IsValid)
        {
            json.WriteString("trace_id", record.Trace.TraceId);
        }

        if (record.Trace.HasSpan)
        {
            json.WriteString("span_id", ExchangeId.Format(record.Trace.SpanId));
        }

        json.WriteString("direction", ExchangeWords.Of(record.Direction));
        WriteUnlessEmpty(json, "api", record.Api);
        WriteUnlessEmpty(json, "endpoint", record.Endpoint);
        json.WriteString("consumer", record.Consumer.Name);
        WriteUnlessEmpty(json, "tenant", record.Consumer.Tenant);
        WriteUnlessEmpty(json, "environment", record.Consumer.Environment);
        json.WriteString("client", record.ClientAddress);
        WriteUnlessEmpty(json, "protocol", record.ClientProtocol == ProtocolVersion.None ? "" : "HTTP/" + ExchangeWords.Of(record.ClientProtocol));
        json.WriteString("method", record.Method);
        json.WriteString("scheme", record.Scheme);
        json.WriteString("host", record.Host);
        json.WriteNumber("port", record.Port);
        json.WriteString("path", record.Path);
        WriteUnlessEmpty(json, "query", record.Query ?? "");
        json.WriteNumber("status", record.Status);
        json.WriteString("outcome", ExchangeWords.Of(record.Outcome));
        WriteUnlessEmpty(json, "reason", record.Reason);
        WriteUnlessEmpty(json, "code", record.Code);
        if (record.Observed.Count > 0)
        {
            json.WriteStartArray("would_have_refused");
            foreach (var decision in record.Observed)
            {
                json.WriteStringValue(decision.Policy + ": " + decision.Code);
            }

            json.WriteEndArray();
        }

        json.WriteNumber("attempts", record.Attempts);
        WriteUnlessEmpty(json, "destination", record.Destination);
        json.WriteNumber("request_bytes", record.RequestBytes);
        json.WriteNumber("response_bytes", record.ResponseBytes);
        json.WriteNumber("queue_ms", record.Queue.TotalMilliseconds);
        json.WriteNumber("policies_ms", record.Policies.TotalMilliseconds);
        json.WriteNumber("connect_ms", record.Connect.TotalMilliseconds);
        json.WriteNumber("first_byte_ms", record.TimeToFirstByte.TotalMilliseconds);
        json.WriteNumber("total_ms", record.Total.TotalMilliseconds);
        json.WriteEndObject();
    }

    private static void WriteUnlessEmpty(Utf8JsonWriter json, string name, string value)
    {
        if (value.Length > 0)
        {
            json.WriteString(name, value);
        }
    }
}
