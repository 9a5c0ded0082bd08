namespace Tidegate.Control.Otlp;

/// <summary>Who reports: the head of every message. Field numbers are those of opentelemetry-proto 1.x.</summary>
internal sealed record OtlpResource(string ServiceName, string Version, string InstanceId, string HostName)
{
    /// <summary>What the instrumentation scope is called.</summary>
    private const string Scope = "tidegate";

    /// <summary>Begins a message of spans, metrics or logs: all have the same frame.</summary>
    /// <returns>For <see cref="End"/>.</returns>
    public (int Resource, int Scope) Begin(ProtobufWriter message)
    {
        var resourceItems = message.Begin(1);
        var resource = message.Begin(1);
        Attribute(message, 1, "service.name", ServiceName);
        Attribute(message, 1, "service.version", Version);
        Attribute(message, 1, "service.instance.id", InstanceId);
        Attribute(message, 1, "host.name", HostName);
        message.End(resource);
        var scopeItems = message.Begin(2);
        var scope = message.Begin(1);
        message.String(1, Scope);
        message.String(2, Version);
        message.End(scope);
        return (resourceItems, scopeItems);
    }

    /// <summary>Ends the message.</summary>
    public static void End(ProtobufWriter message, (int Resource, int Scope) begun)
    {
        message.End(begun.Scope);
        message.End(begun.Resource);
    }

    /// <summary>A KeyValue with a text.</summary>
    public static void Attribute(ProtobufWriter message, int field, string key, string value)
    {
        var pair = message.Begin(field);
        message.String(1, key);
        var any = message.Begin(2);
        message.String(1, value);
        message.End(any);
        message.End(pair);
    }

    /// <summary>A KeyValue with a whole number.</summary>
    public static void Attribute(ProtobufWriter message, int field, string key, long value)
    {
        var pair = message.Begin(field);
        message.String(1, key);
        var any = message.Begin(2);
        message.Varint(3, (ulong)value);
        message.End(any);
        message.End(pair);
    }
}
