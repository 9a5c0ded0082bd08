using System.Globalization;

namespace Tidegate.Recording;

/// <summary>Amounts of money as they are written.</summary>
internal static class Amounts
{
    // A decimal remembers the zeros that it was made with; divided by this it has none.
    private const decimal NoZeros = 1.000000000000000000000000000000m;

    /// <summary>Without zeros at its end: 0.002 and not 0.00200.</summary>
    public static decimal Plain(decimal amount) => amount / NoZeros;

    /// <summary>As text, whatever the machine's language.</summary>
    public static string Text(decimal amount) => Plain(amount).ToString(CultureInfo.InvariantCulture);
}
