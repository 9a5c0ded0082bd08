using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Limits.Prices;

/// <summary>Puts on an exchange's bill what each of its attempts costs. The innermost of all: what a limit, a circuit or the cache keeps back is not sent, and costs nothing.</summary>
internal sealed class CostPolicy : IPolicy
{
    private readonly PriceList[] _lists;
    private readonly TimeProvider _time;

    /// <param name="lists">In the order in which they come into force.</param>
    /// <param name="time">The clock.</param>
    public CostPolicy(IReadOnlyList<PriceList> lists, TimeProvider time)
    {
        _lists = [.. lists];
        _time = time;
    }

    public string Name => "cost";

    public PolicyStage Stage => PolicyStage.Attempt;

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next) =>
        exchange.OpensTunnel || InForce() is not { } list ? next(exchange) : MeterAsync(exchange, list, next);

    public PolicyExplanation Explain(Exchange exchange)
    {
        var inForce = InForce();
        var texts = _lists.Where(list => list == inForce || list.FromTicks > _time.GetUtcNow().UtcTicks).Select(list => (list == inForce ? "" : $"from {new DateTime(list.FromTicks, DateTimeKind.Utc):yyyy-MM-dd} on ") + list.Text);
        return new PolicyExplanation((inForce is null ? "unknown today; " : "") + string.Join("; ", texts));
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private static async ValueTask MeterAsync(Exchange exchange, PriceList list, ExchangeHandler next)
    {
        var bill = exchange.Bill;
        var attempts = exchange.Attempts;
        bill.Price(list.Currency);
        if (list.Billed == BilledCalls.Attempts)
        {
            // From now on: whoever breaks it off does not know what it cost.
            bill.Open();
        }

        if (list.ReadsContent && !exchange.IsTunnel)
        {
            // Of content in a coding nothing could be read.
            exchange.RequestHeaders.Set(KnownHeader.AcceptEncoding, "identity");
        }

        await next(exchange);
        if (!IsBilled(exchange, list.Billed, attempts))
        {
            if (list.Billed == BilledCalls.Attempts)
            {
                bill.Cancel();
            }

            return;
        }

        if (list.Billed != BilledCalls.Attempts)
        {
            bill.Open();
        }

        // One that was sent again on its own, because a kept connection ended, is one; but what ended may have been read, and then the provider counts two.
        var isKnown = list.Billed != BilledCalls.Attempts || !(exchange.WasSent && exchange.WasSentBefore);
        if (exchange.IsTunnel)
        {
            // What is inside, nobody knows.
            bill.Settle(0, list.Currency, isKnown: false);
        }
        else if (list.IsFlat)
        {
            bill.Settle(list.PerRequest!.Charge(1), list.Currency, isKnown);
        }
        else
        {
            exchange.WhenAnswerEnds(CostMeter.Rent(list, bill, exchange, isKnown));
        }
    }

    private static bool IsBilled(Exchange exchange, BilledCalls billed, int attemptsBefore) => exchange.Attempts > attemptsBefore && billed switch
    {
        BilledCalls.Attempts => exchange.WasSent || exchange.WasSentBefore,
        BilledCalls.Answers => exchange.Outcome == Outcome.Forwarded,
        _ => exchange is { Outcome: Outcome.Forwarded, ResponseStatus: < 400 },
    };

    private PriceList? InForce()
    {
        var now = _lists.Length == 1 && _lists[0].FromTicks == 0 ? 0 : _time.GetUtcNow().UtcTicks;
        for (var i = _lists.Length - 1; i >= 0; i--)
        {
            if (_lists[i].FromTicks <= now)
            {
                return _lists[i];
            }
        }

        return null;
    }
}
