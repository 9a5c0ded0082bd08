using System.Globalization;

namespace Tidegate.Load.Traffic;

/// <summary>What a generator saw.</summary>
/// <param name="Count">Answers, or events of streams.</param>
/// <param name="Errors">Broken connections and answers other than 200.</param>
/// <param name="Unanswered">Open loop: arrivals that had no answer when the time was over.</param>
/// <param name="PerSecond">Answers or events per second.</param>
/// <param name="P50Microseconds">Median.</param>
/// <param name="P99Microseconds">99th percentile.</param>
/// <param name="P999Microseconds">99.9th percentile.</param>
internal sealed record Measurement(long Count, long Errors, long Unanswered, double PerSecond, double P50Microseconds, double P99Microseconds, double P999Microseconds)
{
    public static Measurement Of(List<long> nanoseconds, long errors, long unanswered, double seconds)
    {
        nanoseconds.Sort();
        double Percentile(double share) => nanoseconds.Count == 0 ? 0 : nanoseconds[(int)(share * (nanoseconds.Count - 1))] / 1000.0;
        return new Measurement(nanoseconds.Count, errors, unanswered, nanoseconds.Count / seconds, Percentile(0.5), Percentile(0.99), Percentile(0.999));
    }

    /// <summary>One line, as it goes from the generator's process to the runner's.</summary>
    public string ToLine() => string.Create(CultureInfo.InvariantCulture, $"{Count} {Errors} {Unanswered} {PerSecond:F1} {P50Microseconds:F1} {P99Microseconds:F1} {P999Microseconds:F1}");

    public static Measurement FromLine(string line)
    {
        var parts = line.Split(' ').Select(part => double.Parse(part, CultureInfo.InvariantCulture)).ToArray();
        return new Measurement((long)parts[0], (long)parts[1], (long)parts[2], parts[3], parts[4], parts[5], parts[6]);
    }
}
