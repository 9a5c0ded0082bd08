using System.Text.Json;
using Tidegate.Policies.Cache;
using Tidegate.Recording;

namespace Tidegate.Control.Admin;

/// <summary><c>/api/v1/cache/advice</c>: what storing would bring where the cache observes.</summary>
internal static class CacheDocuments
{
    public const string AdvicePath = "/api/v1/cache/advice";

    public static void WriteAdvice(Utf8JsonWriter json, HttpCache cache)
    {
        json.WriteStartObject();
        json.WriteStartArray("endpoints");
        foreach (var report in cache.Advisor.Reports)
        {
            json.WriteStartObject();
            json.WriteString("api", report.Api);
            json.WriteString("endpoint", report.Endpoint);
            json.WriteNumber("observed_seconds", Math.Round(report.Observed.TotalSeconds));
            json.WriteNumber("calls", report.Calls);
            json.WriteNumber("unshared", report.Unshared);
            json.WriteNumber("sampled", report.Sampled);
            if (report.Currency.Length > 0)
            {
                json.WriteString("currency", report.Currency);
            }

            json.WriteStartArray("lifetimes");
            for (var i = 0; i < report.Tallies.Length; i++)
            {
                json.WriteStartObject();
                json.WriteString("lifetime", AdviceReport.Text(CacheAdvice.Lifetimes[i]));
                json.WriteNumber("hits", report.Tallies[i].Hits);
                json.WriteNumber("hit_ratio", Math.Round(report.HitRatio(i), 4));
                json.WriteNumber("bytes", report.Tallies[i].Bytes);
                if (report.Currency.Length > 0)
                {
                    json.WriteNumber("cost", Amounts.Plain(report.Tallies[i].Cost));
                    json.WriteNumber("cost_unknown", report.Tallies[i].UnknownCosts);
                }

                json.WriteNumber("no_longer_true", report.Tallies[i].Untrue);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            var (rule, reason) = report.Propose();
            if (rule is not null)
            {
                json.WriteString("rule", rule);
            }

            json.WriteString("reason", reason);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
