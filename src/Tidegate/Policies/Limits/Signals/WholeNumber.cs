namespace Tidegate.Policies.Limits.Signals;

/// <summary>Numbers as nearly every provider writes them: digits alone. Whatever else it may be is for a decimal, which takes ten times as long.</summary>
internal static class WholeNumber
{
    // As many always fit.
    private const int MaxDigits = 18;

    /// <summary>False when it is not that, or longer.</summary>
    public static bool TryRead(ReadOnlySpan<byte> text, out long number)
    {
        number = 0;
        if (text.Length is 0 or > MaxDigits)
        {
            return false;
        }

        var sum = 0L;
        foreach (var letter in text)
        {
            var digit = (uint)letter - '0';
            if (digit > 9)
            {
                return false;
            }

            sum = (sum * 10) + digit;
        }

        number = sum;
        return true;
    }

    /// <summary>A product that goes no higher than that.</summary>
    public static long Times(long number, long unit, long most) => number > most / unit ? most : number * unit;
}
