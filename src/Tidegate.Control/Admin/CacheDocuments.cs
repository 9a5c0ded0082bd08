using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Tidegate.Edge;
using Tidegate.Exchanges;
using Tidegate.Policies.Cache;

namespace Tidegate.Control.Admin;

/// <summary><c>/api/v1/cache/advice</c>: what storing would bring where the cache observes. <c>/api/v1/cache/explain</c>: what is stored of one URL, and whether it would be used.</summary>
internal static class CacheDocuments
{
    public const string AdvicePath = "/api/v1/cache/advice";
    public const string ExplainPath = "/api/v1/cache/explain";

    private const int MaxFields = 32;

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
            json.WriteStartArray("lifetimes");
            for (var i = 0; i < report.Tallies.Length; i++)
            {
                json.WriteStartObject();
                json.WriteString("lifetime", AdviceReport.Text(CacheAdvice.Lifetimes[i]));
                json.WriteNumber("hits", report.Tallies[i].Hits);
                json.WriteNumber("hit_ratio", Math.Round(report.HitRatio(i), 4));
                json.WriteNumber("bytes", report.Tallies[i].Bytes);
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

    public static Task ExplainAsync(HttpContext context, IGatewayView gateway)
    {
        if (Ask(context.Request.Query, gateway, out var problem) is not { } exchange)
        {
            return AdminReply.ProblemAsync(context, 400, "parameter_invalid", problem!);
        }

        var plan = GatewayHandler.Route(exchange, gateway.Configuration.Snapshot);
        var policy = plan?.Pipeline.Policies.OfType<CachePolicy>().FirstOrDefault();
        return AdminReply.JsonAsync(context, 200, json =>
        {
            json.WriteStartObject();
            json.WriteString("url", exchange.Target.Scheme + "://" + exchange.Target.Authority + exchange.Target.PathAndQuery);
            json.WriteString("api", exchange.ApiName);
            json.WriteString("endpoint", exchange.EndpointName);
            json.WriteString("consumer", exchange.Consumer.Name);
            json.WriteString("cache", plan is null ? "no API has this URL" : policy is null ? "nothing is stored here" : policy.Explain(exchange).Summary);
            json.WriteEndObject();
        });
    }

    /// <summary>The exchange that such a call would be.</summary>
    private static Exchange? Ask(IQueryCollection query, IGatewayView gateway, out string? problem)
    {
        var url = query["url"].ToString();
        var (direction, consumer, method) = (query["direction"].ToString(), query["consumer"].ToString(), query["method"].ToString());
        if (query.Keys.FirstOrDefault(static key => key is not ("url" or "direction" or "consumer" or "method" or "header")) is { } unknown)
        {
            problem = $"'{unknown}' is not known here; use url, method, header, consumer and direction.";
            return null;
        }

        if (direction is not ("" or "ingress" or "egress"))
        {
            problem = "'direction' must be ingress or egress.";
            return null;
        }

        var known = gateway.Configuration.Config.Consumers.FirstOrDefault(known => known.Name == consumer);
        if (consumer.Length > 0 && consumer != Consumer.Anonymous.Name && known is null)
        {
            problem = $"There is no consumer '{consumer}'.";
            return null;
        }

        var result = CanonicalTarget.ParseAbsolute(Encoding.UTF8.GetBytes(url), direction == "ingress");
        if (!result.IsTarget)
        {
            problem = $"'url' must be an absolute http or https URL: {result.Rejection.Detail}";
            return null;
        }

        var isEgress = direction == "egress" || (direction.Length == 0 && gateway.Configuration.Snapshot.Routes.Match(Direction.Egress, "GET", result.Target).Route is not null);
        var exchange = new Exchange
        {
            Connection = new ClientConnection { PeerAddress = IPAddress.Loopback },
            Client = null!,
            Direction = isEgress ? Direction.Egress : Direction.Ingress,
            Method = method.Length == 0 ? "GET" : method,
            Target = result.Target,
            Consumer = known is null ? Consumer.Anonymous : new Consumer(known.Name, known.Tenant, known.Environment),
        };
        foreach (var field in query["header"].Take(MaxFields))
        {
            var colon = field?.IndexOf(':', StringComparison.Ordinal) ?? -1;
            if (colon <= 0)
            {
                problem = "'header' is a field of the request, as Name: value.";
                return null;
            }

            exchange.RequestHeaders.Add(field![..colon], field[(colon + 1)..].Trim());
        }

        if (!isEgress && !exchange.RequestHeaders.Contains(KnownHeader.XForwardedProto))
        {
            // As the edge has it for a client that no proxy speaks for.
            exchange.RequestHeaders.Add(KnownHeader.XForwardedProto, exchange.Target.Scheme);
        }

        problem = null;
        return exchange;
    }
}
