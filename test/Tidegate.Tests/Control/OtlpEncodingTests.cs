using CsCheck;
using Tidegate.Control.Metrics;
using Tidegate.Control.Otlp;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Tidegate.Recording.Metrics;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.Tests.Control;

public sealed class OtlpEncodingTests
{
    private static readonly OtlpResource Resource = new("tidegate", "0.1.0", "instance", "host");
    private static readonly TraceContext Trace = new(0x0af7651916cd43dd, 0x8448eb211c80319c, 0x00f067aa0ba902b7, 0xb7ad6b7169203331, TraceContext.SampledFlag);

    [Fact]
    public void An_ingress_exchange_is_a_server_span()
    {
        var span = Span(TestRecords.Ingress with { Trace = Trace, Query = "token=secret&page=2", Endpoint = "/orders/{id}" });
        var attributes = span.Attributes(9);

        Assert.Equal("0af7651916cd43dd8448eb211c80319c", span.Hex(1));
        Assert.Equal(("00f067aa0ba902b7", "b7ad6b7169203331"), (span.Hex(2), span.Hex(4)));
        Assert.Equal(("GET orders", 2UL, false), (span.Text(5), span.Number(6), span.Has(15)));
        Assert.Equal(10_000_000UL, span.Number(8) - span.Number(7));
        Assert.Equal(1_767_323_045_000_000_000UL, span.Number(7));
        Assert.Equal(("GET", "https", "/orders/7", "token=***&page=***"), (attributes["http.request.method"], attributes["url.scheme"], attributes["url.path"], attributes["url.query"]));
        Assert.Equal(("api.example.com", "443", "200", "192.0.2.1"), (attributes["server.address"], attributes["server.port"], attributes["http.response.status_code"], attributes["client.address"]));
        Assert.Equal(("orders", "/orders/{id}", "billing", "acme", "forwarded"), (attributes["tidegate.api"], attributes["tidegate.endpoint"], attributes["tidegate.consumer"], attributes["tidegate.tenant"], attributes["tidegate.outcome"]));
        Assert.DoesNotContain("error.type", attributes.Keys);
    }

    [Fact]
    public void An_egress_exchange_is_a_client_span_and_never_shows_a_query_value()
    {
        // As the record is when the access log keeps query values.
        var span = Span(TestRecords.Egress with { Trace = Trace with { ParentSpanId = 0 }, Query = "key=secret", Attempts = 3 });
        var attributes = span.Attributes(9);

        Assert.Equal((3UL, false), (span.Number(6), span.Has(4)));
        Assert.Equal("https://api.stripe.com/v1/charges?key=***", attributes["url.full"]);
        Assert.Equal("2", attributes["http.request.resend_count"]);
    }

    [Theory]
    [InlineData(Direction.Ingress, 404, Outcome.Forwarded, "", null)]
    [InlineData(Direction.Ingress, 503, Outcome.Forwarded, "", "503")]
    [InlineData(Direction.Egress, 404, Outcome.Forwarded, "", "404")]
    [InlineData(Direction.Ingress, 403, Outcome.Rejected, "consumer_not_allowed", null)]
    [InlineData(Direction.Egress, 403, Outcome.Rejected, "host_not_listed", "host_not_listed")]
    [InlineData(Direction.Ingress, 502, Outcome.Failed, "connect_failed", "connect_failed")]
    [InlineData(Direction.Ingress, 0, Outcome.Failed, "client_aborted", "client_aborted")]
    public void What_is_an_error_depends_on_the_side(Direction direction, int status, Outcome outcome, string code, string? expected)
    {
        var span = Span(TestRecords.Ingress with { Direction = direction, Status = status, Outcome = outcome, Code = code, Trace = Trace });

        Assert.Equal(expected, span.Attributes(9).GetValueOrDefault("error.type"));
        Assert.Equal(expected is not null, span.Has(15) && span.One(15).Number(3) == 2);
    }

    [Theory]
    [InlineData(200, Outcome.Forwarded, "", 9, "GET orders 200 forwarded in 10 ms")]
    [InlineData(403, Outcome.Rejected, "consumer_not_allowed", 9, "GET orders 403 rejected consumer_not_allowed in 10 ms")]
    [InlineData(503, Outcome.Forwarded, "", 17, "GET orders 503 forwarded in 10 ms")]
    [InlineData(0, Outcome.Failed, "client_aborted", 17, "GET orders no answer failed client_aborted in 10 ms")]
    public void An_exchange_is_a_log_record_in_its_trace(int status, Outcome outcome, string code, ulong severity, string body)
    {
        var message = new ProtobufWriter();
        LogEncoder.Encode(message, Resource, [TestRecords.Ingress with { Trace = Trace, Status = status, Outcome = outcome, Code = code, Query = "token=secret" }]);
        var log = new ProtobufMessage(message.Written).One(1).One(2).One(2);

        Assert.Equal((severity, body, "tidegate.exchange"), (log.Number(2), log.One(5).Text(1), log.Text(12)));
        Assert.Equal(("0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"), (log.Hex(9), log.Hex(10)));
        Assert.Equal((log.Number(1), 1_767_323_045_010_000_000UL), (log.Number(11), log.Number(1)));
        Assert.Equal(("orders", "token=***"), (log.Attributes(6)["tidegate.api"], log.Attributes(6)["url.query"]));
    }

    [Fact]
    public void A_made_up_method_does_not_name_a_span()
    {
        var span = Span(TestRecords.Ingress with { Method = "BREW", Trace = Trace });

        Assert.Equal("HTTP orders", span.Text(5));
        Assert.Equal(("_OTHER", "BREW"), (span.Attributes(9)["http.request.method"], span.Attributes(9)["http.request.method_original"]));
    }

    [Fact]
    public async Task Durations_are_histograms_by_the_semantic_conventions()
    {
        var metrics = await MetricsAsync(int.MaxValue, TestRecords.Ingress, TestRecords.Ingress, TestRecords.Egress with { Host = "127.0.0.1", Port = 5000 }, TestRecords.Egress with { Method = "BREW" });

        var server = metrics.Single(metric => metric.Text(1) == "http.server.request.duration");
        var point = server.One(9).One(1);
        Assert.Equal(("s", 2UL, 2UL), (server.Text(3), server.One(9).Number(2), point.Number(4)));
        Assert.Equal(0.02, point.Double(5), 6);
        Assert.Equal(BucketHistogram.UpperBoundsSeconds, point.Packed(7).Select(BitConverter.UInt64BitsToDouble));
        Assert.Equal(2UL, point.Packed(6)[4]);
        Assert.Equal(("GET", "200", "https", "orders"), (point.Attributes(9)["http.request.method"], point.Attributes(9)["http.response.status_code"], point.Attributes(9)["url.scheme"], point.Attributes(9)["tidegate.api"]));

        var client = metrics.Single(metric => metric.Text(1) == "http.client.request.duration").One(9).All(1);
        Assert.Equal([("127.0.0.1", "5000"), ("api.stripe.com", "443")], client.Select(found => (found.Attributes(9)["server.address"], found.Attributes(9)["server.port"])).Order());
        Assert.Contains(client, found => found.Attributes(9)["http.request.method"] == "_OTHER");
    }

    [Fact]
    public async Task Counters_are_cumulative_sums()
    {
        var metrics = await MetricsAsync(int.MaxValue, TestRecords.Ingress, TestRecords.Ingress);

        var sum = metrics.Single(metric => metric.Text(1) == "tidegate.exchanges").One(7);
        Assert.Equal((2UL, 1UL, 2.0), (sum.Number(2), sum.Number(3), sum.One(1).Double(4)));
        Assert.True(sum.One(1).Number(2) < sum.One(1).Number(3));
    }

    [Fact]
    public async Task What_is_too_large_for_one_message_is_sent_in_several_and_nothing_is_lost()
    {
        var records = Enumerable.Range(0, 400).Select(i => TestRecords.Ingress with { Endpoint = $"/endpoint-{i}" }).ToArray();
        var encoder = await EncodeAsync(20_000, records);

        var messages = encoder.Finish();
        Assert.True(messages.Count > 5, $"{messages.Count} messages");
        Assert.All(messages, message => Assert.InRange(message.Length, 1, 25_000));
        Assert.Equal(400, Metrics(messages).Where(metric => metric.Text(1) == "tidegate.exchanges").Sum(metric => metric.One(7).All(1).Count));
    }

    [Theory]
    [InlineData(new byte[0], 0)]
    [InlineData(new byte[] { 0x0A, 0x00 }, 0)]
    [InlineData(new byte[] { 0x0A, 0x02, 0x08, 0x07 }, 7)]
    [InlineData(new byte[] { 0x0A, 0x06, 0x12, 0x01, 0x61, 0x08, 0xAC, 0x02 }, 300)]
    [InlineData(new byte[] { 0x0A, 0x7F }, 0)]
    public void A_reply_says_how_much_was_not_kept(byte[] reply, long rejected) => Assert.Equal(rejected, PartialSuccess.Rejected(reply));

    [Fact]
    public void No_reply_makes_reading_it_throw() => Gen.Byte.Array[0, 40].Sample(reply => PartialSuccess.Rejected(reply) >= long.MinValue, iter: 10_000);

    private static ProtobufMessage Span(ExchangeRecord record)
    {
        var message = new ProtobufWriter();
        SpanEncoder.Encode(message, Resource, [record]);
        var resource = new ProtobufMessage(message.Written).One(1);
        Assert.Equal("tidegate", resource.One(1).Attributes(1)["service.name"]);
        return resource.One(2).One(2);
    }

    private static async Task<IReadOnlyList<ProtobufMessage>> MetricsAsync(int maxMessageBytes, params ExchangeRecord[] records) =>
        [.. Metrics((await EncodeAsync(maxMessageBytes, records)).Finish())];

    private static async Task<MetricEncoder> EncodeAsync(int maxMessageBytes, ExchangeRecord[] records)
    {
        var metrics = new ExchangeMetrics();
        await metrics.WriteAsync(records, TestContext.Current.CancellationToken);
        var started = TestRecords.Ingress.Started;
        var encoder = new MetricEncoder(Resource, started, started.AddMinutes(1), maxMessageBytes);
        ExchangeMetricsReader.Write(metrics, encoder);
        return encoder;
    }

    private static IEnumerable<ProtobufMessage> Metrics(IReadOnlyList<byte[]> messages) => messages.SelectMany(message => new ProtobufMessage(message).One(1).One(2).All(2));
}
