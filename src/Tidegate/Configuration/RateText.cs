using System.Globalization;
using Tidegate.Policies.Limits;

namespace Tidegate.Configuration;

/// <summary>How much within how long, as people write it: <c>100/s</c>, <c>60/10s</c>, <c>10MB/s</c>, <c>2000 points/m</c>, <c>10000/month</c>.</summary>
/// <param name="Amount">Above zero.</param>
/// <param name="Unit">Of what.</param>
/// <param name="Period">How long; null when the text names a period that only a calendar knows.</param>
/// <param name="Calendar">The calendar's period; null when the text says a number of seconds.</param>
internal readonly record struct RateText(long Amount, LimitUnit Unit, TimeSpan? Period, CalendarUnit? Calendar)
{
    // Sums of such amounts with each other and with costs stay far inside a long.
    private const long MaxAmount = 1L << 40;

    /// <summary>Whether the text is one. A word such as <c>hour</c> is both a period and one of the calendar.</summary>
    public static bool TryParse(string text, out RateText rate)
    {
        rate = default;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0 || !TryAmount(text[..slash].Trim(), out var amount, out var unit))
        {
            return false;
        }

        var period = text[(slash + 1)..].Trim();
        var calendar = Enum.TryParse<CalendarUnit>(period, ignoreCase: true, out var word) && char.IsAsciiLetter(period[0]) ? word : (CalendarUnit?)null;
        TimeSpan? length = calendar switch
        {
            CalendarUnit.Minute => TimeSpan.FromMinutes(1),
            CalendarUnit.Hour => TimeSpan.FromHours(1),
            CalendarUnit.Day => TimeSpan.FromDays(1),
            null when ScalarParser.TryDuration(period, out var duration) => duration,
            null when period.Length > 0 && char.IsAsciiLetter(period[0]) && ScalarParser.TryDuration("1" + period, out var one) => one,
            null when period is "second" => TimeSpan.FromSeconds(1),
            _ => null,
        };
        rate = new RateText(amount, unit, length, calendar);
        return length is not null || calendar is not null;
    }

    private static bool TryAmount(string text, out long amount, out LimitUnit unit)
    {
        unit = LimitUnit.Requests;
        var (number, word) = text.IndexOf(' ', StringComparison.Ordinal) is >= 0 and var space ? (text[..space], text[(space + 1)..].Trim()) : (text, "");
        switch (word)
        {
            case "points" or "point":
                unit = LimitUnit.Points;
                break;
            case "" or "requests" or "request":
                break;
            default:
                // "10 MB"
                number += word;
                break;
        }

        if (long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out amount))
        {
            return amount is > 0 and <= MaxAmount;
        }

        unit = LimitUnit.Bytes;
        return word is not ("points" or "point" or "requests" or "request") && ScalarParser.TrySize(number, out amount) && amount is > 0 and <= MaxAmount;
    }
}
