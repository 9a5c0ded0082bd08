using Tidegate.Control.Store.Log;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Rollups;

/// <summary>Exact sums of what exchanges cost, by currency, and of how many nobody knows it. Not thread-safe.</summary>
internal sealed class CostSums
{
    // There are no more: they have three letters.
    private const int MaxCurrencies = 26 * 26 * 26;

    private readonly List<(string Currency, decimal Amount)> _amounts = [];

    /// <summary>What is known, in the order in which currencies came.</summary>
    public IReadOnlyList<(string Currency, decimal Amount)> Amounts => _amounts;

    /// <summary>Attempts that providers bill.</summary>
    public long Billed { get; private set; }

    /// <summary>Exchanges that were sent to somebody else's API and cost what nobody knows, or more than is known.</summary>
    public long Unknown { get; private set; }

    public void Add(in ExchangeRecord record)
    {
        Billed += record.Cost.Billed;
        Unknown += record.IsCostUnknown ? 1 : 0;
        if (record.Cost.Currency.Length > 0)
        {
            Add(record.Cost.Currency, record.Cost.Amount);
        }
    }

    public void Add(CostSums other)
    {
        Billed += other.Billed;
        Unknown += other.Unknown;
        foreach (var (currency, amount) in other._amounts)
        {
            Add(currency, amount);
        }
    }

    public void Clear()
    {
        _amounts.Clear();
        Billed = Unknown = 0;
    }

    /// <summary>Nothing for nothing, as in cells that were saved before there were costs.</summary>
    public void Write(ByteSink bytes)
    {
        if (Billed == 0 && Unknown == 0 && _amounts.Count == 0)
        {
            return;
        }

        bytes.Number(Billed);
        bytes.Number(Unknown);
        bytes.Number((ulong)_amounts.Count);
        foreach (var (currency, amount) in _amounts)
        {
            bytes.Text(currency);
            bytes.Amount(amount);
        }
    }

    /// <summary>Adds what was written.</summary>
    public void Read(ref ByteSource bytes)
    {
        if (bytes.IsEmpty)
        {
            return;
        }

        Billed += bytes.Number();
        Unknown += bytes.Number();
        for (var left = bytes.Count(MaxCurrencies); left > 0; left--)
        {
            Add(bytes.Text(), bytes.Amount());
        }
    }

    private void Add(string currency, decimal amount)
    {
        for (var i = 0; i < _amounts.Count; i++)
        {
            if (_amounts[i].Currency == currency)
            {
                _amounts[i] = (currency, _amounts[i].Amount + amount);
                return;
            }
        }

        _amounts.Add((currency, amount));
    }
}
