using Tidegate.Exchanges;

namespace Tidegate.Recording.Tracing;

/// <summary>
/// Gives an exchange its place in a trace. Without an exporter the client's context is only noted and passes untouched. With one, the
/// gateway joins traces that are being recorded and begins new ones by share, and becomes the parent that the upstream sees.
/// </summary>
internal sealed class ExchangeTracing
{
    /// <summary>Nobody exports spans.</summary>
    public static readonly ExchangeTracing Off = new(null, 0);

    private readonly TraceIdSource? _ids;
    private readonly ulong _threshold;

    private ExchangeTracing(TraceIdSource? ids, double share)
    {
        _ids = ids;
        _threshold = share >= 1 ? ulong.MaxValue : (ulong)(share * ulong.MaxValue);
    }

    /// <summary>Spans are exported.</summary>
    /// <param name="seed">Different for every process.</param>
    /// <param name="share">Of the exchanges that come without a trace, 0 to 1.</param>
    public static ExchangeTracing On(ulong seed, double share) => new(new TraceIdSource(seed), share);

    /// <summary>Called once, before routing. Never throws; allocates nothing.</summary>
    public void Begin(Exchange exchange)
    {
        var fields = exchange.RequestHeaders;
        var client = Read(fields);
        exchange.Trace = client;
        if (_ids is null || (client.IsValid && !client.IsSampled))
        {
            // Whoever began a trace decided whether it is recorded (Trace Context 3.2.2.5.1): a span of ours would have no parent to show.
            return;
        }

        if (client.IsValid)
        {
            exchange.Trace = client with { SpanId = _ids.Next() };
        }
        else
        {
            var low = _ids.Next();
            if (low > _threshold)
            {
                return;
            }

            exchange.Trace = new TraceContext(_ids.Next(), low, _ids.Next(), 0, TraceContext.SampledFlag | TraceContext.RandomFlag);

            // A state without a trace that it belongs to is nobody's (Trace Context 3.3: parsed only with a valid traceparent).
            fields.Remove(KnownHeader.TraceState);
        }

        Span<byte> parent = stackalloc byte[TraceContext.Length];
        exchange.Trace.Format(parent);
        fields.Set(KnownHeader.TraceParent, parent);
    }

    /// <summary>Two of them are none: which one would be the caller's?</summary>
    private static TraceContext Read(HeaderList fields) =>
        fields.TryGet(KnownHeader.TraceParent, out var value) && TraceContext.TryParse(value, out var context) && fields.CountOf(KnownHeader.TraceParent) == 1 ? context : default;
}
