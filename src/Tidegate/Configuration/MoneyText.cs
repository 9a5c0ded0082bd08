using System.Globalization;
using Tidegate.Exchanges;

namespace Tidegate.Configuration;

/// <summary>A price as people write it: <c>0.002 USD</c>, <c>2.50 USD/1000000</c>, <c>0.09 USD/GB</c>.</summary>
/// <param name="Amount">At least zero.</param>
/// <param name="Currency">Three capitals, as in ISO 4217.</param>
/// <param name="Per">For so many, or so many bytes; 1 where nothing was written.</param>
/// <param name="IsOfSize">Bytes were written.</param>
internal readonly record struct MoneyText(decimal Amount, string Currency, long Per, bool IsOfSize)
{
    // With the largest counts sums stay exact.
    private const decimal MaxAmount = 1_000_000;

    public static bool TryParse(string text, out MoneyText money)
    {
        money = default;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var price = (slash < 0 ? text : text[..slash]).Trim();
        var per = slash < 0 ? null : text[(slash + 1)..].Trim();
        var space = price.IndexOf(' ', StringComparison.Ordinal);
        if (space < 0 || !decimal.TryParse(price.AsSpan(0, space), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount) || amount > MaxAmount || decimal.Round(amount, ExchangeCost.Digits) != amount)
        {
            return false;
        }

        var currency = price[(space + 1)..].Trim();
        if (currency.Length != 3 || !currency.All(char.IsAsciiLetterUpper))
        {
            return false;
        }

        if (per is null || (long.TryParse(per, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0))
        {
            money = new MoneyText(amount, currency, per is null ? 1 : long.Parse(per, CultureInfo.InvariantCulture), IsOfSize: false);
            return true;
        }

        if (per.Length > 0 && ScalarParser.TrySize(char.IsAsciiLetter(per[0]) ? "1" + per : per, out var bytes) && bytes > 0)
        {
            money = new MoneyText(amount, currency, bytes, IsOfSize: true);
            return true;
        }

        return false;
    }
}
