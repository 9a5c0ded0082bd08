using Tidegate.Load.Runs;

namespace Tidegate.Load.Scenarios;

/// <summary>What the rounds gave for one proxy; medians of them count.</summary>
internal sealed record ForwardRow(RunningPeer Peer)
{
    public List<Sample> Closed { get; } = [];

    public List<Sample> AtFixedRate { get; } = [];

    public List<Sample> AtHalf { get; } = [];

    public double Cpu => Median(Closed, sample => sample.CpuMicrosecondsPerRequest);

    public double PerSecond => Median(Closed, sample => sample.Measurement.PerSecond);

    public long Errors => Closed.Concat(AtFixedRate).Concat(AtHalf).Sum(sample => sample.Measurement.Errors);

    public static double Median<T>(IEnumerable<T> samples, Func<T, double> figure)
    {
        var sorted = samples.Select(figure).Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }
}
