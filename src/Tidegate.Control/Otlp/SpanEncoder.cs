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

    /// <summary>An ExportTraceServiceRequest of the first of some records, as many as one message holds.</summary>
    /// <returns>How many that are; one at least.</returns>
    public static int Encode(ProtobufWriter message, OtlpResource resource, IReadOnlyList<ExchangeRecord> records)
    {
        message.Clear();
        var frame = resource.Begin(message);
        var count = 0;
        while (count < records.Count && message.Length < OtlpClient.MaxMessageBytes)
        {
            var span = message.Begin(2);
            WriteSpan(message, records[count++]);
            message.End(span);
        }

        OtlpResource.End(message, frame);
        return count;
    }

    private static void WriteSpan(ProtobufWriter message, in ExchangeRecord record)
    {
        var trace = record.Trace;
        var isKnownMethod = RecordAttributes.IsKnownMethod(record.Method);
        message.Id(1, trace.TraceIdHigh, trace.TraceIdLow);
        message.Id(2, trace.SpanId);
        if (trace.ParentSpanId != 0)
        {
            message.Id(4, trace.ParentSpanId);
        }

        message.String(5, (isKnownMethod ? record.Method : "HTTP") + (record.Api.Length == 0 ? "" : " " + record.Api));
        message.Varint(6, record.Direction == Direction.Ingress ? Server : (ulong)Client);
        message.Fixed64(7, RecordAttributes.Nanoseconds(record.Started));
        message.Fixed64(8, RecordAttributes.Nanoseconds(record.Started + record.Total));
        RecordAttributes.Write(message, AttributesField, record);

        var errorType = MetricLabels.ErrorTypeOf(record.Direction, record.Outcome, record.Status, record.Code);
        if (errorType.Length > 0)
        {
            OtlpResource.Attribute(message, AttributesField, "error.type", errorType);
            var status = message.Begin(15);
            message.String(2, record.Detail);
            message.Varint(3, StatusError);
            message.End(status);
        }

        message.Fixed32(16, trace.Flags | (trace.ParentSpanId == 0 ? 0 : ParentIsRemote));
    }
}
