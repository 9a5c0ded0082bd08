using System.Text;

namespace Tidegate.Policies;

/// <summary>
/// A date as HTTP writes it (RFC 9110 5.6.7), in seconds since 1970. The two obsolete forms are read and never written. Names are read in any case, the day of
/// the week is not compared with the date, and everything else must be as the RFC says.
/// </summary>
internal static class HttpDate
{
    private const int FixedLength = 29;
    private const int AsctimeLength = 24;

    // A year of two digits that looks more than this far ahead is the last one that ended in them (RFC 9110 5.6.7).
    private const int MaxYearsAhead = 50;

    // What comes behind the leap second of the year 9999 has no date.
    private static readonly long LastSecond = DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    private static ReadOnlySpan<byte> Days => "MonTueWedThuFriSatSun"u8;

    private static ReadOnlySpan<byte> Months => "JanFebMarAprMayJunJulAugSepOctNovDec"u8;

    /// <summary>Reads any of the three forms. Allocates nothing.</summary>
    public static bool TryParse(ReadOnlySpan<byte> value, DateTimeOffset now, out DateTimeOffset date)
    {
        var isDate = TryParse(value, now, out long seconds);
        date = isDate ? DateTimeOffset.FromUnixTimeSeconds(seconds) : default;
        return isDate;
    }

    /// <summary>The same in seconds since 1970.</summary>
    public static bool TryParse(ReadOnlySpan<byte> value, DateTimeOffset now, out long seconds)
    {
        seconds = 0;
        if (value.Length < AsctimeLength || Name(value, Days) < 0)
        {
            return false;
        }

        if (value.Length == FixedLength && value[3] == ',')
        {
            // Sun, 06 Nov 1994 08:49:37 GMT
            return value[4] == ' ' && value[7] == ' ' && value[11] == ' ' && value[16] == ' ' && EndsInGmt(value)
                && TryMake(Number(value.Slice(12, 4)), Name(value[8..], Months), Number(value.Slice(5, 2)), value.Slice(17, 8), out seconds);
        }

        if (value.Length == AsctimeLength && value[3] == ' ')
        {
            // Sun Nov  6 08:49:37 1994
            var day = value[8] == ' ' ? value.Slice(9, 1) : value.Slice(8, 2);
            return value[7] == ' ' && value[10] == ' ' && value[19] == ' '
                && TryMake(Number(value[20..]), Name(value[4..], Months), Number(day), value.Slice(11, 8), out seconds);
        }

        // Sunday, 06-Nov-94 08:49:37 GMT
        var comma = value.IndexOf((byte)',');
        if (comma is < 6 or > 9 || value.Length != comma + 24 || value[comma + 1] != ' ' || value[comma + 4] != '-' || value[comma + 8] != '-' || value[comma + 11] != ' ' || !EndsInGmt(value))
        {
            return false;
        }

        var twoDigits = Number(value.Slice(comma + 9, 2));
        var year = (now.Year / 100 * 100) + twoDigits;
        year -= year > now.Year + MaxYearsAhead ? 100 : 0;
        return twoDigits >= 0 && TryMake(year, Name(value[(comma + 5)..], Months), Number(value.Slice(comma + 2, 2)), value.Slice(comma + 12, 8), out seconds);
    }

    private static bool TryMake(int year, int month, int day, ReadOnlySpan<byte> time, out long seconds)
    {
        seconds = 0;
        var (hour, minute, second) = (Number(time[..2]), Number(time.Slice(3, 2)), Number(time.Slice(6, 2)));
        if (year is < 1 or > 9999 || month < 0 || day < 1 || day > DateTime.DaysInMonth(year, month + 1) || time[2] != ':' || time[5] != ':'
            || hour is < 0 or > 23 || minute is < 0 or > 59 || second is < 0 or > 60)
        {
            return false;
        }

        // A leap second is the next minute's first.
        seconds = Math.Min(LastSecond, new DateTimeOffset(year, month + 1, day, hour, minute, 0, TimeSpan.Zero).ToUnixTimeSeconds() + second);
        return true;
    }

    private static bool EndsInGmt(ReadOnlySpan<byte> value) => Ascii.EqualsIgnoreCase(value[^4..], " GMT"u8);

    /// <summary>Which of the names, of three letters each, stands there; -1 for none.</summary>
    private static int Name(ReadOnlySpan<byte> text, ReadOnlySpan<byte> names)
    {
        for (var i = 0; i < names.Length; i += 3)
        {
            if (Ascii.EqualsIgnoreCase(text[..3], names.Slice(i, 3)))
            {
                return i / 3;
            }
        }

        return -1;
    }

    private static int Number(ReadOnlySpan<byte> digits)
    {
        var number = 0;
        foreach (var digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'9')
            {
                return -1;
            }

            number = (number * 10) + (digit - '0');
        }

        return number;
    }
}
