using Tidegate.Exchanges;

namespace Tidegate.Policies.Limits.Prices;

/// <summary>What so many of something cost: the same for each, or less (or more) from an amount on that was used in a month.</summary>
internal sealed class PriceScale
{
    private readonly PriceTier[] _tiers;
    private readonly MonthlyUse? _use;

    /// <param name="tiers">In order; the last has no end.</param>
    /// <param name="use">What was used this month; null where the price is the same for each.</param>
    public PriceScale(IReadOnlyList<PriceTier> tiers, MonthlyUse? use)
    {
        _tiers = [.. tiers];
        _use = use;
    }

    /// <summary>Whether how much was used before matters.</summary>
    public bool IsTiered => _tiers.Length > 1;

    /// <summary>As people write it.</summary>
    public string Text => string.Join(", then ", _tiers.Select(tier => tier.Text));

    /// <summary>What they cost, and that they were used.</summary>
    public decimal Charge(decimal units)
    {
        if (_use is null)
        {
            return Price(_tiers[0], units);
        }

        var used = _use.Add(units);
        var cost = 0m;
        foreach (var tier in _tiers)
        {
            var here = Math.Clamp(tier.UpTo - used, 0, units);
            cost += Price(tier, here);
            used += here;
            units -= here;
        }

        return cost;
    }

    private static decimal Price(in PriceTier tier, decimal units) => units == 0 ? 0 : decimal.Round(units * tier.Price / tier.Per, ExchangeCost.Digits, MidpointRounding.ToEven);
}

/// <summary>A price.</summary>
/// <param name="UpTo">It holds until so many were used in a month; the last holds for all that follow.</param>
/// <param name="Price">In the list's currency.</param>
/// <param name="Per">For so many.</param>
/// <param name="Text">As it was written.</param>
internal readonly record struct PriceTier(decimal UpTo, decimal Price, decimal Per, string Text)
{
    /// <summary>More than anybody uses.</summary>
    public const decimal NoEnd = 1e20m;
}
