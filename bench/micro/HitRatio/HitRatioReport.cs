using System.Globalization;

namespace Tidegate.Benchmarks.HitRatio;

/// <summary>How many bytes in a hundred come out of the gateway's store, out of LRU, and out of what knows the future.</summary>
internal static class HitRatioReport
{
    private const int Objects = 50_000;
    private const int Requests = 1_500_000;

    private static readonly int[] OneSize = [1000];

    // As answers of APIs are: mostly small, some large.
    private static readonly int[] ManySizes = [600, 800, 1000, 1500, 2000, 2000, 3000, 4000, 6000, 8000, 12_000, 20_000, 40_000];

    public static void Write(TextWriter output)
    {
        output.WriteLine("| trace | sizes | cache | store | LRU | known frequencies | optimum | store of optimum | LRU of optimum |");
        output.WriteLine("|---|---|---|---|---|---|---|---|---|");
        foreach (var sizes in new[] { OneSize, ManySizes })
        {
            foreach (var skew in new[] { 0.8, 1.0, 1.2 })
            {
                foreach (var share in new[] { 0.05, 0.1, 0.25 })
                {
                    Write(output, "Zipf", skew, share, sizes, CacheTrace.Zipf(1, Objects, Requests, skew, sizes));
                    Write(output, "Zipf and scans", skew, share, sizes, CacheTrace.Scans(1, Objects, Requests, skew, sizes));
                }
            }
        }
    }

    private static void Write(TextWriter output, string name, double skew, double share, int[] sizes, CacheTrace trace)
    {
        var capacity = (long)(trace.Bytes.Take(Objects).Sum(static bytes => (long)bytes) * share);
        var optimum = CacheModels.OfOptimum(trace, capacity);
        var store = CacheModels.OfStore(trace, capacity);
        var lru = CacheModels.OfLru(trace, capacity);
        var known = CacheModels.OfKnownFrequencies(trace, capacity);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} {skew:0.0} | {(sizes.Length == 1 ? "one" : "many")} | {share:P0} | {store:P1} | {lru:P1} | {known:P1} | {optimum:P1} | {store / optimum:P1} | {lru / optimum:P1} |"));
    }
}
