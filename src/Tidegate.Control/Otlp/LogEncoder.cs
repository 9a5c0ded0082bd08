using System.Globalization;
using Tidegate.Control.Metrics;
using Tidegate.Recording;

namespace Tidegate.Control.Otlp;

/// <summary>Makes one log record of each exchange, an event with the attributes that its span would have.</summary>
internal static class LogEncoder
{
    private const string EventName = "tidegate.exchange";
    private const int AttributesField = 6;

    // As in OpenTelemetry's data model: the first of each range.
    private const int Info = 9;
    private const int Warn = 13;
    private const int Error = 17;

    /// <summary>An ExportLogsServiceRequest of the first of some records, as many as one message holds.</summary>
    /// <returns>How many that are; one at least.</returns>
    public static int Encode(ProtobufWriter message, OtlpResource resource, IReadOnlyList<ExchangeRecord> records)
    {
        message.Clear();
        var frame = resource.Begin(message);
        var count = 0;
        while (count < records.Count && message.Length < OtlpClient.MaxMessageBytes)
        {
            var log = message.Begin(2);
            Write(message, records[count++]);
            message.End(log);
        }

        OtlpResource.End(message, frame);
        return count;
    }

    private static void Write(ProtobufWriter message, in ExchangeRecord record)
    {
        var ended = RecordAttributes.Nanoseconds(record.Started + record.Total);
        var errorType = MetricLabels.ErrorTypeOf(record.Direction, record.Outcome, record.Status, record.Code);
        var (severity, word) = errorType.Length == 0 ? (Info, "INFO") : record.Status is >= 400 and < 500 ? (Warn, "WARN") : (Error, "ERROR");
        message.Fixed64(1, ended);
        message.Varint(2, (ulong)severity);
        message.String(3, word);
        var body = message.Begin(5);
        message.String(1, Body(record));
        message.End(body);
        RecordAttributes.Write(message, AttributesField, record);
        if (errorType.Length > 0)
        {
            OtlpResource.Attribute(message, AttributesField, "error.type", errorType);
        }

        OtlpResource.Attribute(message, AttributesField, "tidegate.total_us", record.Total.Ticks / TimeSpan.TicksPerMicrosecond);
        if (record.Trace.IsValid)
        {
            message.Fixed32(8, record.Trace.Flags);
            message.Id(9, record.Trace.TraceIdHigh, record.Trace.TraceIdLow);
        }

        if (record.Trace.HasSpan)
        {
            message.Id(10, record.Trace.SpanId);
        }

        message.Fixed64(11, ended);
        message.String(12, EventName);
    }

    /// <summary>What one wants to read in a list of lines: everything else is an attribute.</summary>
    private static string Body(in ExchangeRecord record)
    {
        var method = RecordAttributes.IsKnownMethod(record.Method) ? record.Method : "HTTP";
        var of = record.Api.Length > 0 ? record.Api : record.Host;
        var status = record.Status > 0 ? record.Status.ToString(CultureInfo.InvariantCulture) : "no answer";
        return string.Create(CultureInfo.InvariantCulture, $"{method} {of} {status} {ExchangeWords.Of(record.Outcome)}{(record.Code.Length > 0 ? " " + record.Code : "")} in {record.Total.TotalMilliseconds:0.###} ms");
    }
}
