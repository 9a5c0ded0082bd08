using Tidegate.Control.Metrics;
using Tidegate.Recording.Metrics;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.Tests.Control;

public sealed class PrometheusWriterTests
{
    private static readonly MetricDescription Counter = new("tidegate_things_total", "tidegate.things", "1", MetricKind.Counter, "Things.");
    private static readonly MetricDescription Histogram = new("tidegate_time_seconds", "tidegate.time", "s", MetricKind.Histogram, "Time.");
    private static readonly MetricLabelName Name = new("name", "tidegate.name");
    private static readonly MetricLabelName Hidden = new(null, "tidegate.hidden");

    private readonly PrometheusWriter _writer = new();

    [Fact]
    public void A_metric_has_help_type_and_points()
    {
        _writer.Begin(Counter);
        _writer.Write(3, new MetricLabel(Name, "a"));
        _writer.Write(4.5);

        Assert.Equal("# HELP tidegate_things_total Things.\n# TYPE tidegate_things_total counter\ntidegate_things_total{name=\"a\"} 3\ntidegate_things_total 4.5\n", _writer.ToString());
    }

    [Fact]
    public void Quotes_backslashes_and_line_ends_in_labels_are_escaped_and_other_text_stays()
    {
        _writer.Begin(Counter);
        _writer.Write(1, new MetricLabel(Name, "a\"b\\c\nd é {}, ="));

        Assert.Contains("{name=\"a\\\"b\\\\c\\nd é {}, =\"} 1\n", _writer.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Help_escapes_backslashes_and_line_ends_and_leaves_quotes()
    {
        _writer.Begin(Counter with { Help = "a \"b\" \\ c\nd" });

        Assert.StartsWith("# HELP tidegate_things_total a \"b\" \\\\ c\\nd\n", _writer.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Empty_labels_and_labels_of_the_other_format_are_left_out()
    {
        _writer.Begin(Counter);
        _writer.Write(1, new MetricLabel(Name, ""), new MetricLabel(Hidden, "x"));

        Assert.EndsWith("\ntidegate_things_total 1\n", _writer.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Buckets_are_cumulative_and_the_last_is_the_count()
    {
        var histogram = new BucketHistogram();
        foreach (var milliseconds in (int[])[1, 1, 3, 100_000])
        {
            histogram.Observe(TimeSpan.FromMilliseconds(milliseconds));
        }

        _writer.Begin(Histogram);
        _writer.Write(histogram, new MetricLabel(Name, "a"));
        var lines = _writer.ToString().Split('\n');

        Assert.Contains("tidegate_time_seconds_bucket{name=\"a\",le=\"0.0005\"} 0", lines);
        Assert.Contains("tidegate_time_seconds_bucket{name=\"a\",le=\"0.001\"} 2", lines);
        Assert.Contains("tidegate_time_seconds_bucket{name=\"a\",le=\"0.005\"} 3", lines);
        Assert.Contains("tidegate_time_seconds_bucket{name=\"a\",le=\"60\"} 3", lines);
        Assert.Contains("tidegate_time_seconds_bucket{name=\"a\",le=\"+Inf\"} 4", lines);
        Assert.Contains("tidegate_time_seconds_sum{name=\"a\"} 100.005", lines);
        Assert.Contains("tidegate_time_seconds_count{name=\"a\"} 4", lines);
    }

    [Theory]
    [InlineData(double.NaN, "NaN")]
    [InlineData(double.PositiveInfinity, "+Inf")]
    [InlineData(double.NegativeInfinity, "-Inf")]
    [InlineData(1e21, "1E+21")]
    [InlineData(0.1, "0.1")]
    [InlineData(9007199254740993d, "9007199254740992")]
    public void Numbers_are_written_as_the_format_reads_them(double value, string expected)
    {
        _writer.Begin(Counter);
        _writer.Write(value);

        Assert.EndsWith($"tidegate_things_total {expected}\n", _writer.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Exchanges_come_out_as_lines_that_a_scraper_takes()
    {
        var metrics = new ExchangeMetrics();
        await metrics.TakeAsync([TestRecords.Ingress, TestRecords.Egress, TestRecords.Refused with { Endpoint = "say \"hi\"" }], TestContext.Current.CancellationToken);
        ExchangeMetricsReader.Write(metrics, _writer);

        var scrape = new PrometheusScrape(_writer.ToString());
        Assert.Equal(3, scrape.Sum("tidegate_exchanges_total"));
        Assert.Equal(1, scrape.Sum("tidegate_exchanges_total", "endpoint=\"say \\\"hi\\\"\"", "status=\"403\"", "code=\"consumer_not_allowed\""));
        Assert.Equal(3, scrape.Sum("tidegate_exchange_duration_seconds_count"));
        Assert.Equal(2, scrape.Sum("tidegate_upstream_attempts_total"));
    }
}
