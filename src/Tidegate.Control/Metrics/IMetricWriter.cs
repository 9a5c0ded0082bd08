using Tidegate.Recording.Metrics;

namespace Tidegate.Control.Metrics;

/// <summary>Takes metrics one after the other: as Prometheus text, or as an OTLP message.</summary>
internal interface IMetricWriter
{
    /// <summary>The points that follow are of this metric. Points of one name follow one another.</summary>
    void Begin(MetricDescription metric);

    /// <summary>A point of a counter or gauge.</summary>
    void Write(double value, params ReadOnlySpan<MetricLabel> labels);

    /// <summary>A point of a histogram.</summary>
    void Write(BucketHistogram histogram, params ReadOnlySpan<MetricLabel> labels);
}
