namespace Tidegate.Control.Metrics;

/// <summary>How a number behaves.</summary>
internal enum MetricKind
{
    /// <summary>Only grows; starts at 0 with the process.</summary>
    Counter,

    /// <summary>Goes up and down.</summary>
    Gauge,

    /// <summary>Durations in <see cref="Recording.Metrics.BucketHistogram"/>'s buckets.</summary>
    Histogram,
}

/// <summary>One metric under both of its names.</summary>
/// <param name="Name">In Prometheus: with its unit, and <c>_total</c> on a counter.</param>
/// <param name="OtlpName">In OTLP, where unit and kind stand beside the name.</param>
/// <param name="Unit">UCUM, as OTLP wants it.</param>
/// <param name="Kind">How it behaves.</param>
/// <param name="Help">One sentence.</param>
internal sealed record MetricDescription(string Name, string OtlpName, string Unit, MetricKind Kind, string Help);

/// <summary>A label under both of its names; without a name on one side it is not shown there.</summary>
internal sealed record MetricLabelName(string? Prometheus, string? Otlp)
{
    /// <summary>In OTLP the value is a number.</summary>
    public bool IsNumber { get; init; }
}

/// <summary>One label of a point. An empty value means that the point does not have it.</summary>
internal readonly record struct MetricLabel(MetricLabelName Name, string Value);
