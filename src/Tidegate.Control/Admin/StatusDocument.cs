using System.Net;
using System.Text.Json;
using Tidegate.Configuration;
using Tidegate.Control.Otlp;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Tidegate.Recording.Metrics;

namespace Tidegate.Control.Admin;

/// <summary><c>/api/v1/status</c>: how the gateway is.</summary>
internal sealed class StatusDocument(string version, DateTimeOffset started, IGatewayView gateway, Readiness readiness, ReloadHistory reloads, ExchangesInFlight inFlight, ExchangeMetrics metrics, OtlpSettings? otlp, OtlpState? otlpState, TimeProvider time)
{
    public void Write(Utf8JsonWriter json, IPEndPoint admin)
    {
        json.WriteStartObject();
        json.WriteString("version", version);
        json.WriteString("state", readiness.Word);
        json.WriteString("started", started);
        json.WriteNumber("uptime_seconds", Math.Round((time.GetUtcNow() - started).TotalSeconds, 3));
        WriteConfiguration(json);
        WriteListeners(json, admin);
        WriteRecording(json);
        if (otlp is not null && otlpState is not null)
        {
            WriteOtlp(json, otlp, otlpState);
        }

        json.WriteEndObject();
    }

    private void WriteConfiguration(Utf8JsonWriter json)
    {
        var configuration = gateway.Configuration;
        json.WriteStartObject("configuration");
        json.WriteNumber("snapshot_version", configuration.Snapshot.Version);
        json.WriteString("in_force_since", reloads.InForceSince);
        json.WriteStartArray("files");
        foreach (var file in configuration.Files)
        {
            json.WriteStringValue(file.Path);
        }

        json.WriteEndArray();
        WriteProblems(json, "warnings", configuration.Warnings);
        json.WriteNumber("reloads_ok", reloads.Succeeded);
        json.WriteNumber("reloads_failed", reloads.Failed);
        if (reloads.Last is { } last)
        {
            json.WriteStartObject("last_reload");
            json.WriteString("time", last.Time);
            json.WriteBoolean("ok", last.IsInForce);
            if (last.Failure is not null)
            {
                json.WriteString("failure", last.Failure);
            }

            WriteProblems(json, "problems", last.Problems);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private void WriteListeners(Utf8JsonWriter json, IPEndPoint admin)
    {
        json.WriteStartArray("listeners");
        foreach (var listener in gateway.Listeners)
        {
            json.WriteStartObject();
            json.WriteString("name", listener.Name);
            json.WriteString("address", listener.EndPoint.ToString());
            json.WriteNumber("connections", listener.Open);
            json.WriteNumber("connections_refused", listener.Refused);
            json.WriteEndObject();
        }

        json.WriteStartObject();
        json.WriteString("name", "admin");
        json.WriteString("address", admin.ToString());
        json.WriteEndObject();
        json.WriteEndArray();
    }

    private void WriteRecording(Utf8JsonWriter json)
    {
        json.WriteStartObject("in_flight");
        json.WriteNumber("egress", inFlight.Count(Direction.Egress));
        json.WriteNumber("ingress", inFlight.Count(Direction.Ingress));
        json.WriteEndObject();
        json.WriteStartObject("records");
        json.WriteNumber("recorded", gateway.Recorded);
        json.WriteNumber("dropped", gateway.Dropped);
        json.WriteStartObject("sink_failures");
        foreach (var (sink, failures) in gateway.SinkFailures)
        {
            json.WriteNumber(sink, failures);
        }

        json.WriteEndObject();
        lock (metrics.Gate)
        {
            json.WriteNumber("series", metrics.Counts.Count);
            json.WriteNumber("folded_exchanges", metrics.FoldedCounts);
        }

        json.WriteEndObject();
    }

    private static void WriteOtlp(Utf8JsonWriter json, OtlpSettings settings, OtlpState state)
    {
        json.WriteStartObject("otlp");
        json.WriteString("endpoint", settings.Name);
        json.WriteString("protocol", settings.IsGrpc ? "grpc" : "http_protobuf");
        foreach (var signal in settings.HasLogs ? state.Signals : [state.Traces, state.Metrics])
        {
            json.WriteStartObject(signal.Name);
            json.WriteNumber("exports_ok", signal.Succeeded);
            json.WriteNumber("exports_failed", signal.Failed);
            if (signal.LastError is { } error)
            {
                json.WriteString("last_error", error);
            }

            json.WriteEndObject();
        }

        WriteItems(json, "spans", state.Traces);
        if (settings.HasLogs)
        {
            WriteItems(json, "logs", state.Logs);
        }

        json.WriteEndObject();
    }

    private static void WriteItems(Utf8JsonWriter json, string items, OtlpSignal signal)
    {
        json.WriteNumber(items + "_exported", signal.ItemsExported);
        json.WriteNumber(items + "_dropped", signal.ItemsDropped);
        json.WriteNumber(items + "_refused", signal.ItemsRefused);
    }

    private static void WriteProblems(Utf8JsonWriter json, string name, IReadOnlyList<ConfigProblem> problems)
    {
        json.WriteStartArray(name);
        foreach (var problem in problems)
        {
            json.WriteStringValue(problem.ToString());
        }

        json.WriteEndArray();
    }
}
