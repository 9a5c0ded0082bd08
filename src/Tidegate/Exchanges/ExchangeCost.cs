namespace Tidegate.Exchanges;

/// <summary>What an exchange cost, as far as its prices are known.</summary>
/// <param name="Amount">Exact to a trillionth of the currency's unit. At least this, where attempts are unknown.</param>
/// <param name="Currency">As in ISO 4217; empty where no price is known. Nothing that was sent is free for that.</param>
/// <param name="Billed">Attempts that count at the provider.</param>
/// <param name="Unknown">Those of them whose price could not be told.</param>
public readonly record struct ExchangeCost(decimal Amount, string Currency, int Billed, int Unknown)
{
    /// <summary>Nothing is known.</summary>
    public static readonly ExchangeCost None = new(0, "", 0, 0);

    /// <summary>Digits after the point that an amount has at most.</summary>
    public const int Digits = 12;

    /// <summary>Whether there is an amount, and it is all.</summary>
    public bool IsKnown => Currency.Length > 0 && Unknown == 0;
}
