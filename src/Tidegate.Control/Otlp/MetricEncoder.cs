using System.Globalization;
using Tidegate.Control.Metrics;
using Tidegate.Recording.Metrics;

namespace Tidegate.Control.Otlp;

/// <summary>Writes metrics as ExportMetricsServiceRequests: cumulative, since the process began to count.</summary>
internal sealed class MetricEncoder : IMetricWriter
{
    private const int Gauge = 5;
    private const int Sum = 7;
    private const int Histogram = 9;
    private const int Cumulative = 2;

    private readonly ProtobufWriter _message = new();
    private readonly List<byte[]> _messages = [];
    private readonly OtlpResource _resource;
    private readonly ulong _started;
    private readonly ulong _now;
    private readonly int _maxMessageBytes;
    private (int Resource, int Scope) _frame;
    private MetricDescription? _metric;
    private (int Metric, int Data)? _open;

    public MetricEncoder(OtlpResource resource, DateTimeOffset started, DateTimeOffset now, int maxMessageBytes = OtlpClient.MaxMessageBytes)
    {
        _resource = resource;
        _started = Nanoseconds(started);
        _now = Nanoseconds(now);
        _maxMessageBytes = maxMessageBytes;
        _frame = resource.Begin(_message);
    }

    /// <inheritdoc/>
    public void Begin(MetricDescription metric)
    {
        CloseMetric();
        _metric = metric;
    }

    /// <inheritdoc/>
    public void Write(double value, params ReadOnlySpan<MetricLabel> labels)
    {
        var point = BeginPoint();
        _message.Double(4, value);
        Attributes(7, labels);
        _message.End(point);
    }

    /// <inheritdoc/>
    public void Write(BucketHistogram histogram, params ReadOnlySpan<MetricLabel> labels)
    {
        var point = BeginPoint();
        _message.Fixed64(4, (ulong)histogram.Count);
        _message.Double(5, histogram.SumSeconds);
        _message.PackedFixed64(6, histogram.Counts);
        _message.PackedDouble(7, BucketHistogram.UpperBoundsSeconds);
        Attributes(9, labels);
        _message.End(point);
    }

    /// <summary>The messages, none larger than a collector takes.</summary>
    public IReadOnlyList<byte[]> Finish()
    {
        CloseMessage();
        return _messages;
    }

    private int BeginPoint()
    {
        if (_message.Length > _maxMessageBytes)
        {
            CloseMessage();
            _message.Clear();
            _frame = _resource.Begin(_message);
        }

        if (_open is null)
        {
            var metric = _message.Begin(2);
            _message.String(1, _metric!.OtlpName);
            _message.String(2, _metric.Help);
            _message.String(3, _metric.Unit);
            _open = (metric, _message.Begin(_metric.Kind switch
            {
                MetricKind.Gauge => Gauge,
                MetricKind.Counter => Sum,
                _ => Histogram,
            }));
        }

        var point = _message.Begin(1);
        if (_metric!.Kind != MetricKind.Gauge)
        {
            _message.Fixed64(2, _started);
        }

        _message.Fixed64(3, _now);
        return point;
    }

    private void CloseMetric()
    {
        if (_open is not { } open)
        {
            return;
        }

        if (_metric!.Kind != MetricKind.Gauge)
        {
            _message.Varint(2, Cumulative);
        }

        if (_metric.Kind == MetricKind.Counter)
        {
            _message.Varint(3, 1);
        }

        _message.End(open.Data);
        _message.End(open.Metric);
        _open = null;
    }

    private void CloseMessage()
    {
        CloseMetric();
        OtlpResource.End(_message, _frame);
        _messages.Add(_message.Written.ToArray());
    }

    private void Attributes(int field, ReadOnlySpan<MetricLabel> labels)
    {
        foreach (var (name, value) in labels)
        {
            if (name.Otlp is not { } key || value.Length == 0)
            {
                continue;
            }

            if (name == MetricLabels.Host)
            {
                Host(field, value, labels);
            }
            else if (!name.IsNumber)
            {
                // The convention's word for a method that it does not know.
                OtlpResource.Attribute(_message, field, key, name == MetricLabels.Method && value == SeriesKey.Other ? "_OTHER" : value);
            }
            else if (long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0)
            {
                // A class of statuses (5xx), as a folded series has it, is no number; 0 is no answer.
                OtlpResource.Attribute(_message, field, key, number);
            }
        }
    }

    private void Host(int field, string host, ReadOnlySpan<MetricLabel> labels)
    {
        // As HostLabels writes it: a port only where it is not the scheme's own, an IPv6 address in brackets before one.
        var colon = host.LastIndexOf(':');
        var hasPort = colon > 0 && (host[0] == '[' || host.IndexOf(':') == colon);
        OtlpResource.Attribute(_message, field, MetricLabels.Host.Otlp!, hasPort ? host[..colon].Trim('[', ']') : host);
        foreach (var label in labels)
        {
            if (label.Name == MetricLabels.Scheme && host != SeriesKey.Other)
            {
                OtlpResource.Attribute(_message, field, "server.port", hasPort ? long.Parse(host.AsSpan(colon + 1), CultureInfo.InvariantCulture) : label.Value == "https" ? 443 : 80);
            }
        }
    }

    private static ulong Nanoseconds(DateTimeOffset time) => (ulong)(time - DateTimeOffset.UnixEpoch).Ticks * 100;
}
