namespace Tidegate.Exchanges;

/// <summary>
/// Adds up what the attempts of one exchange cost, also of those that are exchanges of their own and run beside each other. What settles after the exchange was recorded finds another's bill, and is
/// not added to it: it was recorded as unknown. Used again and again.
/// </summary>
internal sealed class ExchangeBill
{
    private readonly Lock _gate = new();
    private int _number;
    private decimal _amount;
    private string _currency = "";
    private int _billed;
    private int _open;
    private int _unknown;

    /// <summary>Begins a new one.</summary>
    public BillTicket Begin()
    {
        lock (_gate)
        {
            _amount = 0;
            _currency = "";
            _billed = _open = _unknown = 0;
            return new BillTicket(this, ++_number);
        }
    }

    /// <summary>Whoever comes later is too late.</summary>
    public void End()
    {
        lock (_gate)
        {
            _number++;
        }
    }

    public ExchangeCost Read(int number)
    {
        lock (_gate)
        {
            return number == _number ? new ExchangeCost(_amount, _currency, _billed + _open, _unknown + _open) : ExchangeCost.None;
        }
    }

    public void Price(int number, string currency)
    {
        lock (_gate)
        {
            _currency = number == _number && _currency.Length == 0 ? currency : _currency;
        }
    }

    public void Open(int number)
    {
        lock (_gate)
        {
            _open += number == _number ? 1 : 0;
        }
    }

    public void Close(int number, bool isBilled, decimal amount, string currency, bool isKnown)
    {
        lock (_gate)
        {
            if (number != _number)
            {
                return;
            }

            _open--;
            if (!isBilled)
            {
                return;
            }

            // Prices of two currencies cannot be added up: the first is the exchange's.
            var fits = currency == _currency;
            _billed++;
            _amount += fits ? amount : 0;
            _unknown += isKnown && fits ? 0 : 1;
        }
    }
}

/// <summary>One exchange's bill.</summary>
internal readonly record struct BillTicket(ExchangeBill? Bill, int Number)
{
    /// <summary>What it comes to so far. An attempt that is not over counts as unknown.</summary>
    public ExchangeCost Read() => Bill?.Read(Number) ?? ExchangeCost.None;

    /// <summary>A price is known, whatever comes of the attempt.</summary>
    public void Price(string currency) => Bill!.Price(Number, currency);

    /// <summary>An attempt begins that will be billed.</summary>
    public void Open() => Bill!.Open(Number);

    /// <summary>It will not be after all.</summary>
    public void Cancel() => Bill!.Close(Number, isBilled: false, 0, "", isKnown: true);

    /// <summary>It was, and costs this.</summary>
    /// <param name="amount">What is known of it.</param>
    /// <param name="currency">The amount's.</param>
    /// <param name="isKnown">Whether that is all.</param>
    public void Settle(decimal amount, string currency, bool isKnown) => Bill!.Close(Number, isBilled: true, amount, currency, isKnown);
}
