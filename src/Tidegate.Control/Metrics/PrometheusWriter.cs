using System.Globalization;
using System.Text;
using Tidegate.Recording.Metrics;

namespace Tidegate.Control.Metrics;

/// <summary>Writes the Prometheus text format, version 0.0.4.</summary>
internal sealed class PrometheusWriter : IMetricWriter
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private static readonly string[] UpperBounds = [.. BucketHistogram.UpperBoundsSeconds.Select(bound => bound.ToString(CultureInfo.InvariantCulture)), "+Inf"];

    private readonly StringBuilder _text = new();
    private MetricDescription? _metric;

    /// <inheritdoc/>
    public void Begin(MetricDescription metric)
    {
        // Two metrics of OTLP may be one here, told apart by a label; the format wants one head for each name.
        if (_metric?.Name != metric.Name)
        {
            _text.Append("# HELP ").Append(metric.Name).Append(' ');
            AppendEscaped(metric.Help, isLabel: false);
            _text.Append("\n# TYPE ").Append(metric.Name).Append(' ').Append(metric.Kind switch
            {
                MetricKind.Counter => "counter",
                MetricKind.Gauge => "gauge",
                _ => "histogram",
            }).Append('\n');
        }

        _metric = metric;
    }

    /// <inheritdoc/>
    public void Write(double value, params ReadOnlySpan<MetricLabel> labels) => Line("", labels, null, value);

    /// <inheritdoc/>
    public void Write(BucketHistogram histogram, params ReadOnlySpan<MetricLabel> labels)
    {
        var cumulative = 0L;
        for (var i = 0; i < UpperBounds.Length; i++)
        {
            cumulative += histogram.Counts[i];
            Line("_bucket", labels, UpperBounds[i], cumulative);
        }

        Line("_sum", labels, null, histogram.SumSeconds);
        Line("_count", labels, null, histogram.Count);
    }

    /// <summary>Everything written so far.</summary>
    public byte[] ToUtf8() => Encoding.UTF8.GetBytes(_text.ToString());

    /// <summary>Everything written so far.</summary>
    public override string ToString() => _text.ToString();

    private void Line(string suffix, ReadOnlySpan<MetricLabel> labels, string? upperBound, double value)
    {
        _text.Append(_metric!.Name).Append(suffix);
        var separator = '{';
        foreach (var label in labels)
        {
            // An empty label and a missing one are the same series to Prometheus.
            if (label.Name.Prometheus is { } name && label.Value.Length > 0)
            {
                _text.Append(separator).Append(name).Append("=\"");
                AppendEscaped(label.Value, isLabel: true);
                _text.Append('"');
                separator = ',';
            }
        }

        if (upperBound is not null)
        {
            _text.Append(separator).Append("le=\"").Append(upperBound).Append('"');
            separator = ',';
        }

        _text.Append(separator == '{' ? " " : "} ");
        AppendNumber(value);
        _text.Append('\n');
    }

    private void AppendNumber(double value)
    {
        if (double.IsFinite(value))
        {
            _text.Append(CultureInfo.InvariantCulture, $"{value}");
        }
        else
        {
            _text.Append(double.IsNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
        }
    }

    private void AppendEscaped(string text, bool isLabel)
    {
        foreach (var character in text)
        {
            switch (character)
            {
                case '\\':
                    _text.Append(@"\\");
                    break;
                case '\n':
                    _text.Append(@"\n");
                    break;
                case '"' when isLabel:
                    _text.Append("\\\"");
                    break;
                default:
                    _text.Append(character);
                    break;
            }
        }
    }
}
