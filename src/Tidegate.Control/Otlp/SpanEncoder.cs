using Tidegate.Control.Metrics;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Otlp;

/// <summary>
/// Makes one span of each record, by the semantic conventions for HTTP: a server span on ingress, a client span on egress. Query values
/// are masked even where the access log keeps them: traces travel further.
/// </summary>
internal static class SpanEncoder
{
    private const int Server = 2;
    private const int Client = 3;
    private const int StatusError = 2;
    private const int AttributesField = 9;

    // OTLP's span flags: the two that W3C knows, then "whether the parent is remote is known" and "it is".
    private const uint ParentIsRemote = 0x300;

    private static readonly HashSet<string> Methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

    /// <summary>An ExportTraceServiceRequest.</summary>
    public static void Encode(ProtobufWriter message, OtlpResource resource, IReadOnlyList<ExchangeRecord> records)
    {
        message.Clear();
        var frame = resource.Begin(message);
        foreach (var record in records)
        {
            var span = message.Begin(2);
            WriteSpan(message, record);
            message.End(span);
        }

        OtlpResource.End(message, frame);
    }

    private static void WriteSpan(ProtobufWriter message, in ExchangeRecord record)
    {
        var trace = record.Trace;
        var isKnownMethod = Methods.Contains(record.Method);
        message.Id(1, trace.TraceIdHigh, trace.TraceIdLow);
        message.Id(2, trace.SpanId);
        if (trace.ParentSpanId != 0)
        {
            message.Id(4, trace.ParentSpanId);
        }

        message.String(5, (isKnownMethod ? record.Method : "HTTP") + (record.Api.Length == 0 ? "" : " " + record.Api));
        message.Varint(6, record.Direction == Direction.Ingress ? Server : (ulong)Client);
        message.Fixed64(7, Nanoseconds(record.Started));
        message.Fixed64(8, Nanoseconds(record.Started + record.Total));
        WriteHttp(message, record, isKnownMethod);
        WriteTidegate(message, record);

        var errorType = MetricLabels.ErrorTypeOf(record.Direction, record.Outcome, record.Status, record.Code);
        if (errorType.Length > 0)
        {
            Text(message, "error.type", errorType);
            var status = message.Begin(15);
            message.String(2, record.Detail);
            message.Varint(3, StatusError);
            message.End(status);
        }

        message.Fixed32(16, trace.Flags | (trace.ParentSpanId == 0 ? 0 : ParentIsRemote));
    }

    private static void WriteHttp(ProtobufWriter message, in ExchangeRecord record, bool isKnownMethod)
    {
        Text(message, "http.request.method", isKnownMethod ? record.Method : "_OTHER");
        Text(message, "http.request.method_original", isKnownMethod ? "" : record.Method);
        Text(message, "url.scheme", record.Scheme);
        var query = QueryMask.Mask(record.Query) ?? "";
        if (record.Direction == Direction.Ingress)
        {
            Text(message, "url.path", record.Path);
            Text(message, "url.query", query);
            Text(message, "client.address", record.ClientAddress.ToString());
        }
        else if (record.Path.Length > 0 && record.Host.Length > 0)
        {
            var target = new ExchangeTarget(record.Scheme, record.Host, record.Port, record.Path, null);
            Text(message, "url.full", query.Length == 0 ? target.ToString() : target + "?" + query);
        }

        Text(message, "server.address", record.Host);
        if (record.Host.Length > 0)
        {
            OtlpResource.Attribute(message, AttributesField, "server.port", record.Port);
        }

        Text(message, "network.protocol.version", ExchangeWords.Of(record.Direction == Direction.Ingress ? record.ClientProtocol : record.UpstreamProtocol));
        if (record.Status > 0)
        {
            OtlpResource.Attribute(message, AttributesField, "http.response.status_code", record.Status);
        }

        if (record.Attempts > 1)
        {
            OtlpResource.Attribute(message, AttributesField, "http.request.resend_count", record.Attempts - 1);
        }

        OtlpResource.Attribute(message, AttributesField, "http.request.body.size", record.RequestBytes);
        OtlpResource.Attribute(message, AttributesField, "http.response.body.size", record.ResponseBytes);
    }

    private static void WriteTidegate(ProtobufWriter message, in ExchangeRecord record)
    {
        Text(message, "tidegate.exchange", ExchangeId.Format(record.Id));
        Text(message, "tidegate.direction", ExchangeWords.Of(record.Direction));
        Text(message, "tidegate.api", record.Api);
        Text(message, "tidegate.endpoint", record.Endpoint);
        Text(message, "tidegate.consumer", record.Consumer.Name);
        Text(message, "tidegate.tenant", record.Consumer.Tenant);
        Text(message, "tidegate.environment", record.Consumer.Environment);
        Text(message, "tidegate.outcome", ExchangeWords.Of(record.Outcome));
        Text(message, "tidegate.reason", record.Reason);
        Text(message, "tidegate.code", record.Code);
        Text(message, "tidegate.destination", record.Destination);
        OtlpResource.Attribute(message, AttributesField, "tidegate.attempts", record.Attempts);
    }

    private static void Text(ProtobufWriter message, string key, string value)
    {
        if (value.Length > 0)
        {
            OtlpResource.Attribute(message, AttributesField, key, value);
        }
    }

    private static ulong Nanoseconds(DateTimeOffset time) => (ulong)(time - DateTimeOffset.UnixEpoch).Ticks * 100;
}
