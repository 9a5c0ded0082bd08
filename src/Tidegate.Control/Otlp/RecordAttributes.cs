using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Otlp;

/// <summary>
/// What a record says, as attributes by the semantic conventions for HTTP and ours. Query values are masked even where the access log keeps them: traces and exported logs travel further.
/// </summary>
internal static class RecordAttributes
{
    private static readonly HashSet<string> Methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

    /// <summary>Whether a method may name something: others are made up by clients.</summary>
    public static bool IsKnownMethod(string method) => Methods.Contains(method);

    /// <summary>Since 1970.</summary>
    public static ulong Nanoseconds(DateTimeOffset time) => (ulong)(time - DateTimeOffset.UnixEpoch).Ticks * 100;

    /// <param name="message">Where to.</param>
    /// <param name="field">The number of the message's list of attributes.</param>
    /// <param name="record">What of.</param>
    public static void Write(ProtobufWriter message, int field, in ExchangeRecord record)
    {
        WriteHttp(message, field, record);
        WriteTidegate(message, field, record);
    }

    private static void WriteHttp(ProtobufWriter message, int field, in ExchangeRecord record)
    {
        var isKnownMethod = IsKnownMethod(record.Method);
        Text(message, field, "http.request.method", isKnownMethod ? record.Method : "_OTHER");
        Text(message, field, "http.request.method_original", isKnownMethod ? "" : record.Method);
        Text(message, field, "url.scheme", record.Scheme);
        var query = QueryMask.Mask(record.Query) ?? "";
        if (record.Direction == Direction.Ingress)
        {
            Text(message, field, "url.path", record.Path);
            Text(message, field, "url.query", query);
            Text(message, field, "client.address", record.ClientAddress.ToString());
        }
        else if (record.Path.Length > 0 && record.Host.Length > 0)
        {
            var target = new ExchangeTarget(record.Scheme, record.Host, record.Port, record.Path, null);
            Text(message, field, "url.full", query.Length == 0 ? target.ToString() : target + "?" + query);
        }

        Text(message, field, "server.address", record.Host);
        if (record.Host.Length > 0)
        {
            OtlpResource.Attribute(message, field, "server.port", record.Port);
        }

        Text(message, field, "network.protocol.version", ExchangeWords.Of(record.Direction == Direction.Ingress ? record.ClientProtocol : record.UpstreamProtocol));
        if (record.Status > 0)
        {
            OtlpResource.Attribute(message, field, "http.response.status_code", record.Status);
        }

        if (record.Attempts > 1)
        {
            OtlpResource.Attribute(message, field, "http.request.resend_count", record.Attempts - 1);
        }

        OtlpResource.Attribute(message, field, "http.request.body.size", record.RequestBytes);
        OtlpResource.Attribute(message, field, "http.response.body.size", record.ResponseBytes);
    }

    private static void WriteTidegate(ProtobufWriter message, int field, in ExchangeRecord record)
    {
        Text(message, field, "tidegate.exchange", ExchangeId.Format(record.Id));
        Text(message, field, "tidegate.direction", ExchangeWords.Of(record.Direction));
        Text(message, field, "tidegate.api", record.Api);
        Text(message, field, "tidegate.endpoint", record.Endpoint);
        Text(message, field, "tidegate.consumer", record.Consumer.Name);
        Text(message, field, "tidegate.tenant", record.Consumer.Tenant);
        Text(message, field, "tidegate.environment", record.Consumer.Environment);
        Text(message, field, "tidegate.outcome", ExchangeWords.Of(record.Outcome));
        Text(message, field, "tidegate.reason", record.Reason);
        Text(message, field, "tidegate.code", record.Code);
        Text(message, field, "tidegate.destination", record.Destination);
        OtlpResource.Attribute(message, field, "tidegate.attempts", record.Attempts);
    }

    private static void Text(ProtobufWriter message, int field, string key, string value)
    {
        if (value.Length > 0)
        {
            OtlpResource.Attribute(message, field, key, value);
        }
    }
}
