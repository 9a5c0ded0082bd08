using System.Text.Json;
using Tidegate.Exchanges;

namespace Tidegate.Recording.AccessLog;

/// <summary>One JSON object a line for every exchange. Credentials are not part of a record, so none can get here.</summary>
internal sealed class AccessLogSink(Stream output) : IExchangeSink
{
    public async ValueTask WriteAsync(IReadOnlyList<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        using var buffer = new MemoryStream();
        foreach (var record in batch)
        {
            using (var json = new Utf8JsonWriter(buffer))
            {
                Write(json, record);
            }

            buffer.WriteByte((byte)'\n');
        }

        await output.WriteAsync(buffer.GetBuffer().AsMemory(0, (int)buffer.Length), cancellationToken);
        await output.FlushAsync(cancellationToken);
    }

    private static void Write(Utf8JsonWriter json, ExchangeRecord record)
    {
        json.WriteStartObject();
        json.WriteString("time", record.Started);
        json.WriteString("exchange", ExchangeId.Format(record.Id));
        json.WriteString("direction", record.Direction == Direction.Egress ? "egress" : "ingress");
        WriteUnlessEmpty(json, "api", record.Api);
        WriteUnlessEmpty(json, "endpoint", record.Endpoint);
        json.WriteString("consumer", record.Consumer.Name);
        WriteUnlessEmpty(json, "tenant", record.Consumer.Tenant);
        WriteUnlessEmpty(json, "environment", record.Consumer.Environment);
        json.WriteString("client", record.ClientAddress);
        WriteUnlessEmpty(json, "protocol", record.ClientProtocol switch
        {
            ProtocolVersion.Http10 => "HTTP/1.0",
            ProtocolVersion.Http11 => "HTTP/1.1",
            ProtocolVersion.Http2 => "HTTP/2",
            ProtocolVersion.Http3 => "HTTP/3",
            _ => "",
        });
        json.WriteString("method", record.Method);
        json.WriteString("scheme", record.Scheme);
        json.WriteString("host", record.Host);
        json.WriteNumber("port", record.Port);
        json.WriteString("path", record.Path);
        WriteUnlessEmpty(json, "query", record.Query ?? "");
        json.WriteNumber("status", record.Status);
        json.WriteString("outcome", record.Outcome switch
        {
            Outcome.ServedFromCache => "served_from_cache",
            var outcome => outcome.ToString().ToLowerInvariant(),
        });
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
