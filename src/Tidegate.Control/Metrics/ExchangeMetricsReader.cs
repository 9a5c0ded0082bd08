using Tidegate.Exchanges;
using Tidegate.Recording;
using Tidegate.Recording.Metrics;

namespace Tidegate.Control.Metrics;

/// <summary>Writes what was counted of exchanges.</summary>
internal static class ExchangeMetricsReader
{
    private static readonly MetricDescription Exchanges = new("tidegate_exchanges_total", "tidegate.exchanges", "{exchange}", MetricKind.Counter, "Exchanges that ended.");
    private static readonly MetricDescription RequestBytes = new("tidegate_request_bytes_total", "tidegate.request.bytes", "By", MetricKind.Counter, "Request content read from clients.");
    private static readonly MetricDescription ResponseBytes = new("tidegate_response_bytes_total", "tidegate.response.bytes", "By", MetricKind.Counter, "Response content handed to clients.");
    private static readonly MetricDescription ServerDuration = new("tidegate_exchange_duration_seconds", "http.server.request.duration", "s", MetricKind.Histogram, "From the complete request head to the last byte of the answer.");
    private static readonly MetricDescription ClientDuration = ServerDuration with { OtlpName = "http.client.request.duration" };
    private static readonly MetricDescription Policies = new("tidegate_policies_duration_seconds", "tidegate.policies.duration", "s", MetricKind.Histogram, "From the complete request head to the forwarder, without waiting in queues.");
    private static readonly MetricDescription Queue = new("tidegate_queue_duration_seconds", "tidegate.queue.duration", "s", MetricKind.Histogram, "Waiting in queues of the gateway, of exchanges that waited.");
    private static readonly MetricDescription Connect = new("tidegate_upstream_connect_duration_seconds", "tidegate.upstream.connect.duration", "s", MetricKind.Histogram, "Opening an upstream connection, of exchanges that opened one.");
    private static readonly MetricDescription FirstByte = new("tidegate_upstream_first_byte_duration_seconds", "tidegate.upstream.first_byte.duration", "s", MetricKind.Histogram, "From the forwarder to the first byte of the upstream's answer.");
    private static readonly MetricDescription Attempts = new("tidegate_upstream_attempts_total", "tidegate.upstream.attempts", "{attempt}", MetricKind.Counter, "Requests sent upstream, retries included.");
    private static readonly MetricDescription Observed = new("tidegate_observed_refusals_total", "tidegate.observed_refusals", "{refusal}", MetricKind.Counter, "What policies in observe mode would have refused.");
    private static readonly MetricDescription Cost = new("tidegate_cost_total", "tidegate.cost", "{currency}", MetricKind.Counter, "What exchanges cost, as far as it is known, in the currency's unit.");
    private static readonly MetricDescription CostUnknown = new("tidegate_cost_unknown_exchanges_total", "tidegate.cost.unknown_exchanges", "{exchange}", MetricKind.Counter, "Exchanges that were sent and cost what nobody knows, or more than is known.");
    private static readonly MetricDescription Series = new("tidegate_metrics_series", "tidegate.metrics.series", "{series}", MetricKind.Gauge, "Label sets that exchanges are counted under.");
    private static readonly MetricDescription Folded = new("tidegate_metrics_folded_exchanges_total", "tidegate.metrics.folded_exchanges", "{exchange}", MetricKind.Counter, "Exchanges counted as other because there was no room for their own label set.");

    public static void Write(ExchangeMetrics metrics, IMetricWriter writer)
    {
        lock (metrics.Gate)
        {
            WriteCounts(metrics, writer, Exchanges, static series => series.Exchanges);
            WriteCounts(metrics, writer, RequestBytes, static series => series.RequestBytes);
            WriteCounts(metrics, writer, ResponseBytes, static series => series.ResponseBytes);
            WriteDurations(metrics, writer, ServerDuration, Direction.Ingress);
            WriteDurations(metrics, writer, ClientDuration, Direction.Egress);
            WritePhases(metrics, writer, Policies, static series => series.Policies);
            WritePhases(metrics, writer, Queue, static series => series.Queue);
            WritePhases(metrics, writer, Connect, static series => series.Connect);
            WritePhases(metrics, writer, FirstByte, static series => series.FirstByte);
            writer.Begin(Attempts);
            foreach (var (key, series) in metrics.Phases)
            {
                writer.Write(series.Attempts, [MetricLabels.Of(key.Direction), new(MetricLabels.Api, key.Api)]);
            }

            writer.Begin(Observed);
            foreach (var (key, count) in metrics.Observed)
            {
                writer.Write(count, [MetricLabels.Of(key.Direction), new(MetricLabels.Api, key.Api), new(MetricLabels.Policy, key.Decision.Policy), new(MetricLabels.Code, key.Decision.Code)]);
            }

            writer.Begin(Cost);
            foreach (var (key, amount) in metrics.Costs)
            {
                writer.Write((double)amount, [new(MetricLabels.Api, key.Api), new(MetricLabels.Currency, key.Currency)]);
            }

            writer.Begin(CostUnknown);
            foreach (var (api, count) in metrics.UnknownCosts)
            {
                writer.Write(count, [new(MetricLabels.Api, api)]);
            }

            writer.Begin(Series);
            writer.Write(metrics.Counts.Count, [new(MetricLabels.Table, "counters")]);
            writer.Write(metrics.Durations.Count, [new(MetricLabels.Table, "durations")]);
            writer.Write(metrics.Phases.Count, [new(MetricLabels.Table, "phases")]);
            writer.Begin(Folded);
            writer.Write(metrics.FoldedCounts, [new(MetricLabels.Table, "counters")]);
            writer.Write(metrics.FoldedHistograms, [new(MetricLabels.Table, "histograms")]);
            writer.Write(metrics.FoldedHosts, [new(MetricLabels.Table, "hosts")]);
        }
    }

    private static void WriteCounts(ExchangeMetrics metrics, IMetricWriter writer, MetricDescription metric, Func<CountSeries, long> count)
    {
        writer.Begin(metric);
        foreach (var (key, series) in metrics.Counts)
        {
            writer.Write(
                count(series),
                [
                    MetricLabels.Of(key.Direction), new(MetricLabels.Api, key.Api), new(MetricLabels.Endpoint, key.Endpoint), new(MetricLabels.Host, key.Host), new(MetricLabels.Scheme, key.Scheme),
                    new(MetricLabels.Consumer, key.Consumer), new(MetricLabels.Tenant, key.Tenant), new(MetricLabels.Environment, key.Environment),
                    new(MetricLabels.Method, key.Method), new(MetricLabels.Status, MetricLabels.StatusText(key.Status)), new(MetricLabels.Outcome, ExchangeWords.Of(key.Outcome)), new(MetricLabels.Code, key.Code),
                    new(MetricLabels.ErrorType, ErrorType(key)),
                ]);
        }
    }

    private static void WriteDurations(ExchangeMetrics metrics, IMetricWriter writer, MetricDescription metric, Direction direction)
    {
        writer.Begin(metric);
        foreach (var (key, series) in metrics.Durations)
        {
            if (key.Direction == direction)
            {
                writer.Write(
                    series.Total,
                    [
                        MetricLabels.Of(key.Direction), new(MetricLabels.Api, key.Api), new(MetricLabels.Endpoint, key.Endpoint), new(MetricLabels.Host, key.Host), new(MetricLabels.Scheme, key.Scheme),
                        new(MetricLabels.Method, key.Method), new(MetricLabels.Status, MetricLabels.StatusText(key.Status)), new(MetricLabels.Outcome, ExchangeWords.Of(key.Outcome)), new(MetricLabels.Code, key.Code),
                        new(MetricLabels.ErrorType, ErrorType(key)),
                    ]);
            }
        }
    }

    private static void WritePhases(ExchangeMetrics metrics, IMetricWriter writer, MetricDescription metric, Func<PhaseSeries, BucketHistogram> histogram)
    {
        writer.Begin(metric);
        foreach (var (key, series) in metrics.Phases)
        {
            if (histogram(series).Count > 0)
            {
                writer.Write(histogram(series), [MetricLabels.Of(key.Direction), new(MetricLabels.Api, key.Api)]);
            }
        }
    }

    private static string ErrorType(in SeriesKey key) => MetricLabels.ErrorTypeOf(key.Direction, key.Outcome, key.Status, key.Code);
}
