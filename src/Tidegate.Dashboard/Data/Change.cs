using System.Globalization;

namespace Tidegate.Dashboard.Data;

/// <summary>What became of a number since the time before.</summary>
internal static class Change
{
    // Below that it is the weather.
    private const double Least = 0.05;

    /// <summary>For example <c>▲ 12 %</c>; null when there was nothing before.</summary>
    public static string? Text(double before, double now)
    {
        if (before <= 0)
        {
            return null;
        }

        var change = (now - before) / before;
        return Math.Abs(change) < 0.005 ? "± 0 %"
            : change > 9.99 ? string.Create(CultureInfo.InvariantCulture, $"▲ {now / before:0}×")
            : string.Create(CultureInfo.InvariantCulture, $"{(change > 0 ? "▲" : "▼")} {Math.Abs(change) * 100:0} %");
    }

    /// <summary>Whether more is bad news: of errors and of durations.</summary>
    public static string? Tone(double before, double now) => before <= 0 || Math.Abs(now - before) < before * Least ? null : now > before ? "bad" : "good";

    /// <summary>Of shares in points.</summary>
    public static string? Points(double before, double now, bool isKnown) => !isKnown ? null
        : Math.Abs(now - before) < 0.00005 ? "± 0"
        : string.Create(CultureInfo.InvariantCulture, $"{(now > before ? "▲" : "▼")} {Math.Abs(now - before) * 100:0.##} pt");
}
