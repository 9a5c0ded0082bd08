using System.Buffers.Text;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits.Costs;

namespace Tidegate.Policies.Limits.Prices;

/// <summary>Waits for the end of one attempt's answer, to know what it has cost. Used again and again.</summary>
internal sealed class CostMeter : IAnswerEnding
{
    /// <summary>Different units in one answer. Nobody prices eight; <c>check</c> holds to it.</summary>
    public const int MaxUnits = 8;

    private const int KeptPerThread = 256;

    [ThreadStatic]
    private static Stack<CostMeter>? _free;

    private readonly (CostTap? Units, CostTap? Less, decimal Told)[] _units = new (CostTap?, CostTap?, decimal)[MaxUnits];
    private PriceList _list = null!;
    private BillTicket _bill;
    private CountedBody? _content;
    private bool _isStream;
    private bool _isKnown;

    /// <summary>One that reads along with the answer whose head has come.</summary>
    /// <param name="list">The prices.</param>
    /// <param name="bill">What it is put on.</param>
    /// <param name="exchange">Whose answer.</param>
    /// <param name="isKnown">Whether what the answer says is all.</param>
    public static CostMeter Rent(PriceList list, BillTicket bill, Exchange exchange, bool isKnown)
    {
        var meter = (_free ??= new Stack<CostMeter>()).TryPop(out var free) ? free : new CostMeter();
        meter._list = list;
        meter._bill = bill;
        meter._isKnown = isKnown;

        // What has become of an upgrade is counted as it passes; it has no end that it could lack.
        meter._isStream = exchange.UpstreamStream is not null;
        meter._content = list.PricesResponse && !meter._isStream ? CountedBody.Put(exchange) : null;
        for (var i = 0; i < list.Units.Count; i++)
        {
            var unit = list.Units[i];
            meter._units[i] = unit.Header is not null
                ? (null, null, Told(exchange.ResponseHeaders, unit.Header))
                : (CostTap.Put(exchange, unit.Json!), unit.Less is null ? null : CostTap.Put(exchange, unit.Less), -1);
        }

        return meter;
    }

    public void AnswerEnded(Exchange exchange)
    {
        var amount = _list.PerRequest?.Charge(1) ?? 0;
        if (_list.PerByte is { } perByte)
        {
            var response = !_list.PricesResponse ? 0 : _isStream ? exchange.ResponseBodyBytes : _content?.Bytes ?? 0;
            amount += perByte.Charge((_list.Content == PricedContent.Response ? 0 : exchange.RequestBodyBytes) + response);
        }

        // What was not read may have been sent all the same.
        var isKnown = _isKnown && (_content is null or { IsWhole: true });
        for (var i = 0; i < _list.Units.Count; i++)
        {
            var unit = _list.Units[i];
            if (UnitsOf(_units[i]) is >= 0 and var units)
            {
                // Of an answer that broke off it may be what was used up to then.
                amount += unit.Scale.Charge(units);
                isKnown &= _units[i].Units is null or { IsWhole: true };
            }
            else
            {
                isKnown &= unit.IsOptional;
            }

            _units[i] = default;
        }

        _bill.Settle(amount, _list.Currency, isKnown);
        Return();
    }

    /// <summary>-1 when the answer did not say.</summary>
    private static decimal UnitsOf((CostTap? Units, CostTap? Less, decimal Told) unit) =>
        unit.Units is not { Amount: >= 0 } tap ? unit.Units is null && unit.Less is null ? unit.Told : -1
        : unit.Less is { Amount: > 0 } less ? Math.Max(0, tap.Amount - less.Amount)
        : tap.Amount;

    private static decimal Told(HeaderList fields, byte[] name) =>
        fields.TryGet(name, out var value) && Utf8Parser.TryParse(value, out decimal units, out var read) && read == value.Length && units is >= 0 and <= JsonCostScanner.MaxCost ? units : -1;

    private void Return()
    {
        _bill = default;
        _list = null!;
        _content = null;
        if ((_free ??= new Stack<CostMeter>()).Count < KeptPerThread)
        {
            _free.Push(this);
        }
    }
}
