using Tidegate.Benchmarks.HitRatio;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>How much of what could be served from a full store is. bench/micro -- hit-ratio has longer traces and more of them.</summary>
public sealed class HitRatioTests
{
    private const int Objects = 20_000;
    private static readonly int[] OneSize = [1000];

    [Fact]
    public void On_a_zipf_trace_the_store_serves_95_percent_of_what_the_offline_optimum_serves()
    {
        var trace = CacheTrace.Zipf(1, Objects, 700_000, 1.2, OneSize);
        var capacity = trace.TotalBytes / 10;
        var optimum = CacheModels.OfOptimum(trace, capacity);
        Assert.InRange(CacheModels.OfStore(trace, capacity), 0.95 * optimum, optimum);
        Assert.InRange(CacheModels.OfLru(trace, capacity), 0.90 * optimum, 0.96 * optimum);
    }

    [Fact]
    public void Scans_push_out_what_lru_keeps_and_leave_the_store_at_95_percent_of_the_offline_optimum()
    {
        var trace = CacheTrace.Scans(2, Objects, 700_000, 1.2, OneSize);
        var capacity = Objects * OneSize[0] / 10;
        var optimum = CacheModels.OfOptimum(trace, capacity);
        Assert.InRange(CacheModels.OfStore(trace, capacity), 0.95 * optimum, optimum);
        Assert.InRange(CacheModels.OfLru(trace, capacity), 0.70 * optimum, 0.86 * optimum);
    }

    [Fact]
    public void The_optimum_is_what_is_possible()
    {
        // Three objects, room for two, and the last of them is never kept.
        var trace = new CacheTrace([0, 1, 2, 0, 1, 0, 2, 0, 1, 2, 0, 1], [10, 10, 10]);
        Assert.Equal(7.0 / 9, CacheModels.OfOptimum(trace, 20), 5);
    }
}
