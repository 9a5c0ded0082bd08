using System.Net;
using Tidegate.Exchanges;
using Tidegate.Recording.Tracing;
using Xunit;

namespace Tidegate.Tests.Recording;

public sealed class ExchangeTracingTests
{
    private const string Sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    private const string NotSampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    [Theory]
    [InlineData(Sampled)]
    [InlineData(NotSampled)]
    public void Without_an_exporter_the_clients_context_is_noted_and_passes_untouched(string parent)
    {
        var exchange = Begin(ExchangeTracing.Off, parent);

        Assert.Equal(("0af7651916cd43dd8448eb211c80319c", false), (exchange.Trace.TraceId, exchange.Trace.HasSpan));
        Assert.Equal((parent, "a=1"), Fields(exchange));
    }

    [Fact]
    public void A_recorded_trace_goes_on_with_the_gateways_span_as_parent()
    {
        var exchange = Begin(ExchangeTracing.On(1, 0), Sampled);

        Assert.Equal((0xb7ad6b7169203331, true), (exchange.Trace.ParentSpanId, exchange.Trace.HasSpan));
        Assert.Equal(($"00-0af7651916cd43dd8448eb211c80319c-{exchange.Trace.SpanId:x16}-01", "a=1"), Fields(exchange));
    }

    [Fact]
    public void A_trace_that_its_beginner_does_not_record_passes_untouched()
    {
        var exchange = Begin(ExchangeTracing.On(1, 1), NotSampled);

        Assert.Equal((true, false), (exchange.Trace.IsValid, exchange.Trace.HasSpan));
        Assert.Equal((NotSampled, "a=1"), Fields(exchange));
    }

    [Theory]
    [InlineData]
    [InlineData("00-nonsense")]
    [InlineData(Sampled, Sampled)]
    public void Without_one_valid_context_a_new_trace_begins_and_a_foreign_state_goes(params string[] parents)
    {
        var exchange = Begin(ExchangeTracing.On(1, 1), parents);

        Assert.Equal((0UL, true, true), (exchange.Trace.ParentSpanId, exchange.Trace.HasSpan, exchange.Trace.IsSampled));
        Assert.Equal(($"00-{exchange.Trace.TraceId}-{exchange.Trace.SpanId:x16}-03", null), Fields(exchange));
        Assert.Equal(1, exchange.RequestHeaders.CountOf(KnownHeader.TraceParent));
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(0.1, 800, 1200)]
    [InlineData(0.5, 4700, 5300)]
    [InlineData(1, 10000, 10000)]
    public void So_large_a_share_of_new_traces_begins(double share, int least, int most)
    {
        var tracing = ExchangeTracing.On(42, share);
        var begun = Enumerable.Range(0, 10_000).Count(_ => Begin(tracing).Trace.HasSpan);

        Assert.InRange(begun, least, most);
    }

    [Fact]
    public void Ids_do_not_repeat()
    {
        var ids = new TraceIdSource(7);

        Assert.Equal(100_000, Enumerable.Range(0, 100_000).Select(_ => ids.Next()).Distinct().Count());
    }

    private static Exchange Begin(ExchangeTracing tracing, params string[] parents)
    {
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = null! };
        foreach (var parent in parents)
        {
            exchange.RequestHeaders.Add(KnownHeader.TraceParent, parent);
        }

        exchange.RequestHeaders.Add(KnownHeader.TraceState, "a=1");
        tracing.Begin(exchange);
        return exchange;
    }

    private static (string?, string?) Fields(Exchange exchange) => (exchange.RequestHeaders.Get(KnownHeader.TraceParent), exchange.RequestHeaders.Get(KnownHeader.TraceState));
}
