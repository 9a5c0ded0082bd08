using Tidegate.Policies;

namespace Tidegate.Configuration;

internal sealed record HedgeConfig
{
    [Doc("When a second request is sent: a duration such as 200ms, or p50 to p99.9 of the times that this route's answers take, measured live. Default: p95.")]
    public string? After { get; init; }

    [Doc("Requests sent a second time, as a share of calls. Default: 5%, which is what p95 costs.")]
    public double? Budget { get; init; }

    [Doc("Requests beside the first, 1 to 3, each so much later than the one before. Default: 1.")]
    public int? Max { get; init; }

    [Doc("enforce or observe (record what would have been sent a second time). Default: enforce.")]
    public PolicyMode Mode { get; init; }
}
