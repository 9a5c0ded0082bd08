using System.Diagnostics;

namespace Tidegate.Benchmarks;

/// <summary>How long an operation takes when nobody disturbs it.</summary>
internal static class BestTime
{
    // Code is compiled anew, and installed, in the background meanwhile.
    private static readonly TimeSpan WarmUp = TimeSpan.FromMilliseconds(700);
    private static readonly TimeSpan Run = TimeSpan.FromMilliseconds(5);

    // Short enough that some are not interrupted, many enough that one finds the processor at its best.
    private const int Runs = 200;

    public static double Nanoseconds(Action operation)
    {
        var began = Stopwatch.GetTimestamp();
        var warm = 0L;
        while (Stopwatch.GetElapsedTime(began) < WarmUp)
        {
            operation();
            warm++;
        }

        var count = Math.Max(1, (long)(warm * (Run / WarmUp)));
        var best = double.MaxValue;
        for (var run = 0; run < Runs; run++)
        {
            began = Stopwatch.GetTimestamp();
            for (var i = 0L; i < count; i++)
            {
                operation();
            }

            best = Math.Min(best, Stopwatch.GetElapsedTime(began).TotalNanoseconds / count);
        }

        return best;
    }
}
