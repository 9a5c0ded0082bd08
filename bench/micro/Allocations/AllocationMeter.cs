using System.Diagnostics;

namespace Tidegate.Benchmarks.Allocations;

/// <summary>Counts what an operation allocates on its thread once it is warm.</summary>
internal static class AllocationMeter
{
    private const int BatchSize = 200;

    /// <summary>
    /// The fewest bytes per operation of any batch, rounded up. The first batches run unoptimised code, which allocates more, and pools fill in
    /// them: batches are repeated until one keeps within what is allowed, or the patience ends.
    /// </summary>
    public static long Measure(Action operation, long allowed, TimeSpan patience)
    {
        var began = Stopwatch.GetTimestamp();
        var fewest = long.MaxValue;
        while (true)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < BatchSize; i++)
            {
                operation();
            }

            var bytes = GC.GetAllocatedBytesForCurrentThread() - before;
            fewest = Math.Min(fewest, (bytes + BatchSize - 1) / BatchSize);
            if (fewest <= allowed || Stopwatch.GetElapsedTime(began) > patience)
            {
                return fewest;
            }
        }
    }
}
