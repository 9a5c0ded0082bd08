using System.Buffers.Text;

namespace Tidegate.Policies;

/// <summary>Dates as HTTP writes them: the preferred form and the two old ones that a recipient must still read (RFC 9110 5.6.7).</summary>
internal static class HttpDate
{
    // A two-digit year that would be more than fifty years ahead means the century before (RFC 9110 5.6.7); nothing here outlives this bound.
    private const int FirstYearOfOldCentury = 77;

    /// <summary>Reads any of the three forms. Allocates nothing.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out DateTimeOffset date)
    {
        // Sun, 06 Nov 1994 08:49:37 GMT
        if (Utf8Parser.TryParse(text, out date, out var read, 'R') && read == text.Length)
        {
            return true;
        }

        date = default;
        var comma = text.IndexOf((byte)',');
        return comma >= 0 ? TryRfc850(text[(comma + 1)..], out date) : TryAsctime(text, out date);
    }

    /// <summary><c>Sunday, 06-Nov-94 08:49:37 GMT</c>, from behind the comma.</summary>
    private static bool TryRfc850(ReadOnlySpan<byte> text, out DateTimeOffset date)
    {
        date = default;
        const int Length = 23;
        return text.Length == Length && text[0] == ' ' && text[3] == '-' && text[7] == '-' && text[10] == ' ' && text[19..].SequenceEqual(" GMT"u8)
            && TryNumber(text[8..10], out var year)
            && TryMake(year + (year < FirstYearOfOldCentury ? 2000 : 1900), text[4..7], text[1..3], text[11..19], out date);
    }

    /// <summary><c>Sun Nov  6 08:49:37 1994</c>.</summary>
    private static bool TryAsctime(ReadOnlySpan<byte> text, out DateTimeOffset date)
    {
        date = default;
        const int Length = 24;
        return text.Length == Length && text[3] == ' ' && text[7] == ' ' && text[10] == ' ' && text[19] == ' '
            && TryNumber(text[20..], out var year)
            && TryMake(year, text[4..7], text[8] == ' ' ? text[9..10] : text[8..10], text[11..19], out date);
    }

    private static bool TryMake(int year, ReadOnlySpan<byte> monthName, ReadOnlySpan<byte> dayText, ReadOnlySpan<byte> time, out DateTimeOffset date)
    {
        date = default;
        var month = "JanFebMarAprMayJunJulAugSepOctNovDec"u8.IndexOf(monthName);
        if (month < 0 || month % 3 != 0 || !TryNumber(dayText, out var day) || time[2] != ':' || time[5] != ':'
            || !TryNumber(time[..2], out var hour) || !TryNumber(time[3..5], out var minute) || !TryNumber(time[6..], out var second))
        {
            return false;
        }

        month = (month / 3) + 1;
        if (year < 1 || day < 1 || day > DateTime.DaysInMonth(year, month) || hour > 23 || minute > 59 || second > 59)
        {
            return false;
        }

        date = new DateTimeOffset(year, month, day, hour, minute, second, TimeSpan.Zero);
        return true;
    }

    private static bool TryNumber(ReadOnlySpan<byte> digits, out int number)
    {
        number = 0;
        foreach (var digit in digits)
        {
            if (!char.IsAsciiDigit((char)digit))
            {
                return false;
            }

            number = (number * 10) + digit - '0';
        }

        return digits.Length > 0;
    }
}
