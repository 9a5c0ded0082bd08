namespace Tidegate.Recording.Metrics;

/// <summary>Counts durations in fixed buckets, as Prometheus and OTLP export them. Not thread-safe.</summary>
internal sealed class BucketHistogram
{
    /// <summary>
    /// Upper bounds in seconds, inclusive. From half a millisecond, what a call within one data centre takes, to a minute, after which an
    /// answer that has not begun is a timeout by default; about half a decade each, as the OpenTelemetry convention has it.
    /// </summary>
    public static readonly double[] UpperBoundsSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60];

    private readonly long[] _counts = new long[UpperBoundsSeconds.Length + 1];

    /// <summary>By bucket, not cumulative; the last one has no upper bound.</summary>
    public ReadOnlySpan<long> Counts => _counts;

    public long Count { get; private set; }

    public double SumSeconds { get; private set; }

    public void Observe(TimeSpan duration)
    {
        var seconds = duration.TotalSeconds;
        var bucket = 0;
        while (bucket < UpperBoundsSeconds.Length && seconds > UpperBoundsSeconds[bucket])
        {
            bucket++;
        }

        _counts[bucket]++;
        Count++;
        SumSeconds += seconds;
    }
}
