using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Shares;

namespace Tidegate.Control.Metrics;

/// <summary>What classes have of the limits that they share. Of limits with one count: what <c>per</c> tells apart are too many to be numbers.</summary>
internal static class ShareMetrics
{
    private static readonly MetricDescription Used = new("tidegate_limit_share_used", "tidegate.limit.share_used", "1", MetricKind.Gauge, "How much of a shared limit a class has taken and still has.");
    private static readonly MetricDescription Guaranteed = new("tidegate_limit_share_guaranteed", "tidegate.limit.share_guaranteed", "1", MetricKind.Gauge, "How much of a shared limit a class has whenever it asks.");

    private static readonly MetricLabelName LimitName = new("limit", "tidegate.limit.name");
    private static readonly MetricLabelName Class = new("class", "tidegate.limit.class");

    public static void Write(IMetricWriter writer, IGatewayView gateway)
    {
        var shares = Shares(gateway).ToList();
        var now = gateway.Limits.Time.GetTimestamp();
        writer.Begin(Used);
        foreach (var (labels, limit, share) in shares)
        {
            writer.Write(gateway.Limits.Cells.Used(share, limit.OnlyKey, now), labels);
        }

        writer.Begin(Guaranteed);
        foreach (var (labels, _, share) in shares)
        {
            writer.Write(share.Guaranteed, labels);
        }
    }

    private static IEnumerable<(MetricLabel[] Labels, Limit Limit, ShareClass Share)> Shares(IGatewayView gateway)
    {
        var seen = new HashSet<Limit>();
        foreach (var plan in gateway.Configuration.Snapshot.Plans)
        {
            foreach (var limit in plan.Pipeline.Policies.OfType<LimitsPolicy>().SelectMany(policy => policy.Limits))
            {
                if (limit.Settings.Per.Count > 0 || !seen.Add(limit))
                {
                    continue;
                }

                // An API's limit is met on the route of each of its endpoints; it is the API's.
                var endpoint = limit.Scope == plan.Route.ApiName ? "" : plan.Route.EndpointName;
                foreach (var share in limit.Shares)
                {
                    yield return ([new(MetricLabels.Api, plan.Route.ApiName), new(MetricLabels.Endpoint, endpoint), new(LimitName, limit.Settings.Name), new(Class, share.Name)], limit, share);
                }
            }
        }
    }
}
