using System.Text.Json;
using Tidegate.Control.Live;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Admin;

/// <summary><c>/api/v1/apis</c>: what every API does, since the start and over the last minute.</summary>
internal sealed class ApisDocument(IGatewayView gateway, ApiStatistics statistics, TimeProvider time)
{
    private static readonly Outcome[] Outcomes = [Outcome.Forwarded, Outcome.ServedFromCache, Outcome.ServedFromFallback, Outcome.Rejected, Outcome.Failed];
    private static readonly (string Name, double Share)[] Quantiles = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];
    private static readonly TrafficCounts Nothing = new();

    public void Write(Utf8JsonWriter json)
    {
        var now = time.GetUtcNow();
        var quiet = gateway.Configuration.Config.Apis.Select(api => (api.Direction, api.Name)).ToHashSet();
        json.WriteStartObject();
        json.WriteString("since", statistics.Started);
        json.WriteNumber("last_minute_seconds", Math.Round(SlidingMinute.Covered(now, statistics.Started).TotalSeconds, 3));
        json.WriteStartArray("apis");
        statistics.Read((direction, api, sinceStart, lastMinute) =>
        {
            quiet.Remove((direction, api));
            WriteApi(json, direction, api, sinceStart, lastMinute);
        });
        foreach (var (direction, api) in quiet)
        {
            // Listed and without a call: also something to know.
            WriteApi(json, direction, api, Nothing, Nothing);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteApi(Utf8JsonWriter json, Direction direction, string api, TrafficCounts sinceStart, TrafficCounts lastMinute)
    {
        json.WriteStartObject();
        json.WriteString("api", api);
        json.WriteString("direction", ExchangeWords.Of(direction));
        json.WriteStartObject("since_start");
        WriteCounts(json, sinceStart);
        json.WriteEndObject();
        json.WriteStartObject("last_minute");
        WriteCounts(json, lastMinute);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteCounts(Utf8JsonWriter json, TrafficCounts counts)
    {
        json.WriteNumber("exchanges", counts.Exchanges);
        foreach (var outcome in Outcomes)
        {
            json.WriteNumber(ExchangeWords.Of(outcome), counts.Of(outcome));
        }

        json.WriteStartObject("status");
        for (var hundreds = 0; hundreds < 10; hundreds++)
        {
            if (counts.OfStatusClass(hundreds) > 0)
            {
                json.WriteNumber(hundreds == 0 ? "none" : $"{hundreds}xx", counts.OfStatusClass(hundreds));
            }
        }

        json.WriteEndObject();
        json.WriteNumber("request_bytes", counts.RequestBytes);
        json.WriteNumber("response_bytes", counts.ResponseBytes);
        CostDocument.Write(json, counts.Costs);
        if (counts.Latency.Count == 0)
        {
            return;
        }

        json.WriteStartObject("total_ms");
        foreach (var (name, share) in Quantiles)
        {
            json.WriteNumber(name, Milliseconds(counts.Latency.Quantile(share)));
        }

        json.WriteNumber("max", Milliseconds(counts.Latency.Longest));
        json.WriteEndObject();
    }

    private static double Milliseconds(TimeSpan duration) => Math.Round(duration.TotalMilliseconds, 3);
}
