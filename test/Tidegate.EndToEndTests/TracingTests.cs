using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>Traces and metrics over OTLP, and trace context through the gateway in both directions.</summary>
public sealed class TracingTests
{
    private const string TraceId = "0af7651916cd43dd8448eb211c80319c";
    private const string Sampled = "00-" + TraceId + "-b7ad6b7169203331-01";
    private const string NotSampled = "00-" + TraceId + "-b7ad6b7169203331-00";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true, "ingress")]
    [InlineData(false, "ingress")]
    [InlineData(true, "egress")]
    [InlineData(false, "egress")]
    public async Task A_trace_goes_through_the_gateway_and_its_span_reaches_the_collector(bool isGrpc, string direction)
    {
        await using var collector = await FakeCollector.StartAsync(isGrpc);
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Configuration(upstream.Port, collector, isGrpc), Cancellation);

        var seen = await TraceAsync(gateway, direction, upstream.Port, Sampled, "vendor=1", "?token=secret");

        var span = Assert.Single(await collector.SpansAsync(1, Cancellation));
        Assert.Equal((TraceId, "b7ad6b7169203331"), (span.Hex(1), span.Hex(4)));
        Assert.Equal($"00-{TraceId}-{span.Hex(2)}-01|vendor=1", seen);
        Assert.Equal(direction == "ingress" ? 2UL : 3UL, span.Number(6));
        var attributes = span.Attributes(9);
        Assert.Equal(("GET", "200", "forwarded", direction), (attributes["http.request.method"], attributes["http.response.status_code"], attributes["tidegate.outcome"], attributes["tidegate.direction"]));
        Assert.DoesNotContain(attributes.Values, value => value.Contains("secret", StringComparison.Ordinal));
        Assert.Contains(direction == "ingress" ? "url.query" : "url.full", attributes.Keys);
        var message = collector.Messages.First(found => found.Signal == CollectedMessage.Traces);
        Assert.Equal("collector-key", message.Headers["x-collector"]);
        Assert.Equal("edge-gateway", message.Content.One(1).One(1).Attributes(1)["service.name"]);

        var record = Assert.Single(await gateway.RecordsAsync(1, Cancellation));
        Assert.Equal((TraceId, span.Hex(2)), (record.Trace.TraceId, record.Trace.SpanId.ToString("x16", System.Globalization.CultureInfo.InvariantCulture)));
    }

    [Fact]
    public async Task Without_a_trace_of_its_own_an_exchange_begins_one_that_the_upstream_sees()
    {
        await using var collector = await FakeCollector.StartAsync(isGrpc: true);
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Configuration(upstream.Port, collector, isGrpc: true), Cancellation);

        var seen = await TraceAsync(gateway, "ingress", upstream.Port, null, "left=over");

        var span = Assert.Single(await collector.SpansAsync(1, Cancellation));
        Assert.False(span.Has(4));
        Assert.Equal($"00-{span.Hex(1)}-{span.Hex(2)}-03|", seen);
    }

    [Fact]
    public async Task A_trace_that_nobody_records_passes_untouched()
    {
        await using var collector = await FakeCollector.StartAsync(isGrpc: true);
        await using var upstream = await EchoUpstream.StartAsync();
        var gateway = await TestGateway.StartAsync(Configuration(upstream.Port, collector, isGrpc: true), Cancellation);
        await using (gateway)
        {
            Assert.Equal(NotSampled + "|a=1", await TraceAsync(gateway, "ingress", upstream.Port, NotSampled, "a=1"));
            Assert.Equal(TraceId, Assert.Single(await gateway.RecordsAsync(1, Cancellation)).Trace.TraceId);
        }

        Assert.Empty(collector.Spans);
    }

    [Theory]
    [InlineData(Sampled, TraceId)]
    [InlineData("00-nonsense", null)]
    [InlineData(null, null)]
    public async Task Without_a_collector_every_context_passes_untouched_and_a_valid_one_is_recorded(string? parent, string? recorded)
    {
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Configuration(upstream.Port), Cancellation);

        Assert.Equal($"{parent}|a=1", await TraceAsync(gateway, "ingress", upstream.Port, parent, "a=1"));
        var trace = Assert.Single(await gateway.RecordsAsync(1, Cancellation)).Trace;
        Assert.Equal((recorded, false), (trace.IsValid ? trace.TraceId : null, trace.HasSpan));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Metrics_by_the_semantic_conventions_reach_the_collector_at_the_latest_when_the_gateway_ends(bool isGrpc)
    {
        await using var collector = await FakeCollector.StartAsync(isGrpc);
        await using var upstream = await EchoUpstream.StartAsync();
        await using (var gateway = await TestGateway.StartAsync(Configuration(upstream.Port, collector, isGrpc), Cancellation))
        {
            await TraceAsync(gateway, "ingress", upstream.Port);
            await TraceAsync(gateway, "ingress", upstream.Port);
            await TraceAsync(gateway, "egress", upstream.Port);
            await gateway.RecordsAsync(3, Cancellation);
        }

        var server = collector.Metric("http.server.request.duration")!.One(9).One(1);
        var client = collector.Metric("http.client.request.duration")!.One(9).One(1);
        Assert.Equal((2UL, 1UL), (server.Number(4), client.Number(4)));
        Assert.Equal(("127.0.0.1", $"{upstream.Port}"), (client.Attributes(9)["server.address"], client.Attributes(9)["server.port"]));
        Assert.Equal(3, collector.Metric("tidegate.exchanges")!.One(7).All(1).Sum(point => point.Double(4)));
        Assert.NotNull(collector.Metric("process.cpu.time"));
        Assert.Equal(3, collector.Spans.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_log_record_of_every_exchange_reaches_the_collector_where_that_is_wanted(bool isGrpc)
    {
        await using var collector = await FakeCollector.StartAsync(isGrpc);
        await using var upstream = await EchoUpstream.StartAsync();
        await using (var gateway = await TestGateway.StartAsync(WithLogs(Configuration(upstream.Port, collector, isGrpc)), Cancellation))
        {
            await TraceAsync(gateway, "ingress", upstream.Port);
            await TraceAsync(gateway, "egress", upstream.Port);
            await gateway.RecordsAsync(2, Cancellation);
        }

        Assert.Equal(2, collector.Logs.Count);
        Assert.Equal(collector.Spans.Select(span => span.Hex(1)).Order(), collector.Logs.Select(log => log.Hex(9)).Order());
    }

    [Fact]
    public async Task A_collector_that_is_not_there_costs_traffic_nothing_and_is_told_once()
    {
        await using var upstream = await EchoUpstream.StartAsync();
        using var log = new StringWriter();
        await using var gateway = await TestGateway.StartAsync(Configuration(upstream.Port, "http://127.0.0.1:1"), Cancellation, TextWriter.Synchronized(log));
        using var client = new HttpClient();
        PrometheusScrape scrape;
        do
        {
            await TraceAsync(gateway, "ingress", upstream.Port);
            scrape = new PrometheusScrape(await client.GetStringAsync($"http://{gateway["admin"]}/metrics", Cancellation));
            await Task.Delay(100, Cancellation);
        }
        while (scrape.Sum("tidegate_otlp_exports_total", "signal=\"traces\"", "result=\"failed\"") < 2);

        Assert.Equal(scrape.Sum("tidegate_exchanges_total"), scrape.Sum("tidegate_exchanges_total", "outcome=\"forwarded\""));
        Assert.Single(log.ToString().Split('\n'), line => line.StartsWith("OTLP: traces do not reach http://127.0.0.1:1: Connection refused", StringComparison.Ordinal));
        var status = await client.GetStringAsync($"http://{gateway["admin"]}/api/v1/status", Cancellation);
        Assert.Contains("\"last_error\": \"Connection refused\"", status, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Spans_wait_for_a_collector_that_is_busy_and_none_is_lost(bool isGrpc)
    {
        await using var collector = await FakeCollector.StartAsync(isGrpc);
        collector.GrpcStatus = 14;
        await using var upstream = await EchoUpstream.StartAsync();
        using var log = new StringWriter();
        await using var gateway = await TestGateway.StartAsync(Configuration(upstream.Port, collector, isGrpc), Cancellation, TextWriter.Synchronized(log));
        await TraceAsync(gateway, "ingress", upstream.Port);
        await UntilAsync(gateway, "tidegate_otlp_exports_total", "failed");
        collector.GrpcStatus = 0;

        Assert.Single(await collector.SpansAsync(1, Cancellation));
        await UntilAsync(gateway, "tidegate_otlp_spans_total", "exported");
        Assert.Contains(isGrpc ? ": gRPC status 14 not now. Traffic" : ": HTTP status 503. Traffic", log.ToString(), StringComparison.Ordinal);
        Assert.Contains("OTLP: traces reach ", log.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(3, 0)]
    [InlineData(0, 1)]
    public async Task What_the_collector_refuses_is_counted(int grpcStatus, byte rejected)
    {
        await using var collector = await FakeCollector.StartAsync(isGrpc: true);
        (collector.GrpcStatus, collector.RejectedItems) = (grpcStatus, rejected);
        await using var upstream = await EchoUpstream.StartAsync();
        await using var gateway = await TestGateway.StartAsync(Configuration(upstream.Port, collector, isGrpc: true), Cancellation, TextWriter.Null);
        await TraceAsync(gateway, "ingress", upstream.Port);

        await UntilAsync(gateway, "tidegate_otlp_spans_total", "refused");
    }

    [Fact]
    public async Task At_the_end_no_signal_waits_for_another_and_nothing_is_sent_twice()
    {
        await using var collector = await FakeCollector.StartAsync(isGrpc: true);
        var answers = new TaskCompletionSource();
        collector.AnswersAfter = answers.Task;
        await using var upstream = await EchoUpstream.StartAsync();
        using var log = new StringWriter();
        await using (var gateway = await TestGateway.StartAsync(WithLogs(Configuration(upstream.Port, collector, isGrpc: true)), Cancellation, TextWriter.Synchronized(log)))
        {
            await TraceAsync(gateway, "ingress", upstream.Port);
            await gateway.RecordsAsync(1, Cancellation);
        }

        answers.SetResult();
        Assert.Single(collector.Spans);
        Assert.Single(collector.Logs);
        Assert.Contains("1 records of traces could not be sent", log.ToString(), StringComparison.Ordinal);
        Assert.Contains("did not take the last metrics within 3 s", log.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_field_has_the_number_and_type_that_the_OpenTelemetry_SDK_gives_it()
    {
        await using var ours = await FakeCollector.StartAsync(isGrpc: false);
        await using var theirs = await FakeCollector.StartAsync(isGrpc: false);
        await using var upstream = await EchoUpstream.StartAsync();
        await using (var gateway = await TestGateway.StartAsync(WithLogs(Configuration(upstream.Port, ours, isGrpc: false)), Cancellation))
        {
            await TraceAsync(gateway, "ingress", upstream.Port, Sampled);
            await TraceAsync(gateway, "egress", 1, Sampled);
            await gateway.RecordsAsync(2, Cancellation);
        }

        ExportWithSdk(theirs.Address);

        foreach (var (signal, messages) in (ReadOnlySpan<(string, string)>)[
            (CollectedMessage.Traces, "1 1.1 1.1.1 1.1.1.2 1.2 1.2.1 1.2.2 1.2.2.9 1.2.2.9.2 1.2.2.15"),
            (CollectedMessage.Logs, "1 1.1 1.1.1 1.1.1.2 1.2 1.2.1 1.2.2 1.2.2.5 1.2.2.6 1.2.2.6.2"),
            (CollectedMessage.Metrics, "1 1.1 1.1.1 1.1.1.2 1.2 1.2.1 1.2.2 1.2.2.5 1.2.2.5.1 1.2.2.7 1.2.2.7.1 1.2.2.7.1.7 1.2.2.7.1.7.2 1.2.2.9 1.2.2.9.1 1.2.2.9.1.9 1.2.2.9.1.9.2")])
        {
            var nested = messages.Split(' ').ToHashSet();
            var shape = Shape(ours, signal, nested);
            Assert.NotEmpty(shape);

            // The scope's version: a logger of the SDK has none; its place is the same in all three.
            Assert.Empty(shape.Except(Shape(theirs, signal, nested)).Except(["1.2.1.2:2"]));
        }
    }

    private static IReadOnlySet<string> Shape(FakeCollector collector, string signal, IReadOnlySet<string> nested) =>
        collector.Messages.Where(message => message.Signal == signal).SelectMany(message => message.Content.Shape(nested)).ToHashSet();

    private static string WithLogs(string configuration) => configuration.Replace("otlp: {", "otlp: { logs: true,", StringComparison.Ordinal);

    /// <summary>Spans, metrics and logs that use every field that ours use.</summary>
    private static void ExportWithSdk(string address)
    {
        using var source = new ActivitySource("sdk", "1.0");
        using var meter = new System.Diagnostics.Metrics.Meter("sdk", "1.0");
        var resource = ResourceBuilder.CreateDefault().AddService("sdk");
        using (var traces = Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource).AddSource("sdk").AddOtlpExporter(exporter => Set(exporter, address, "/v1/traces")).Build())
        {
            using var activity = source.StartActivity("span", ActivityKind.Server, new ActivityContext(ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(), ActivityTraceFlags.Recorded, isRemote: true));
            using var logs = LoggerFactory.Create(logging => logging.AddOpenTelemetry(options => options.SetResourceBuilder(resource).AddOtlpExporter(exporter => Set(exporter, address, "/v1/logs"))));
            logs.CreateLogger("sdk").Log(LogLevel.Error, new EventId(1, "name"), "{text} {number}", "a", 1L);
            activity!.SetTag("text", "a").SetTag("number", 1L).SetStatus(ActivityStatusCode.Error, "why");
        }

        using var metrics = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource).AddMeter("sdk").AddOtlpExporter(exporter => Set(exporter, address, "/v1/metrics")).Build();
        var tag = new KeyValuePair<string, object?>[] { new("text", "a"), new("number", 1L) };
        meter.CreateCounter<double>("counter", "s", "what").Add(1.5, tag);
        meter.CreateHistogram<double>("histogram", "s", "what").Record(1.5, tag);
        meter.CreateObservableGauge("gauge", () => new System.Diagnostics.Metrics.Measurement<double>(1.5, tag), "s", "what");
        metrics.ForceFlush();
    }

    private static void Set(OtlpExporterOptions exporter, string address, string path)
    {
        exporter.Protocol = OtlpExportProtocol.HttpProtobuf;
        exporter.Endpoint = new Uri(address + path);
    }

    /// <summary>Waits until that counter has counted something with that result.</summary>
    private static async Task UntilAsync(TestGateway gateway, string name, string result)
    {
        using var client = new HttpClient();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        while (new PrometheusScrape(await client.GetStringAsync($"http://{gateway["admin"]}/metrics", patience.Token)).Sum(name, $"result=\"{result}\"") == 0)
        {
            await Task.Delay(50, patience.Token);
        }
    }

    /// <summary>Sends one request and gives what the upstream saw of the trace.</summary>
    private static async Task<string> TraceAsync(TestGateway gateway, string direction, int upstreamPort, string? parent = null, string state = "", string query = "")
    {
        using var client = new HttpClient(new SocketsHttpHandler
        {
            Proxy = direction == "egress" ? new WebProxy($"http://{gateway["egress"]}") : null,
            UseProxy = direction == "egress",
            ActivityHeadersPropagator = null,
        });
        var request = new HttpRequestMessage(HttpMethod.Get, direction == "egress" ? $"http://127.0.0.1:{upstreamPort}/trace{query}" : $"http://{gateway["ingress"]}/trace{query}");
        if (parent is not null)
        {
            request.Headers.TryAddWithoutValidation("traceparent", parent);
        }

        if (state.Length > 0)
        {
            request.Headers.TryAddWithoutValidation("tracestate", state);
        }

        using var answer = await client.SendAsync(request, Cancellation);
        return await answer.Content.ReadAsStringAsync(Cancellation);
    }

    private static string Configuration(int upstreamPort, FakeCollector collector, bool isGrpc) =>
        Configuration(upstreamPort, $"{collector.Address}, protocol: {(isGrpc ? "grpc" : "http_protobuf")}, service_name: edge-gateway, headers: {{ name: X-Collector, value: collector-key }}");

    private static string Configuration(int upstreamPort, string? otlp = null) => $$"""
        listeners: { egress: { address: 127.0.0.1:0 }, ingress: { address: 127.0.0.1:0 } }
        defaults: { egress: { unlisted_hosts: allow } }
        apis: [{ name: orders, direction: ingress, path: /, upstream: { destinations: ["http://127.0.0.1:{{upstreamPort}}"] } }]
        recording: { access_log: { path: off }{{(otlp is null ? "" : $", otlp: {{ endpoint: {otlp} }}")}} }
        """;
}
