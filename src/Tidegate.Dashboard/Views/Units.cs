using System.Globalization;

namespace Tidegate.Dashboard.Views;

/// <summary>Numbers as people read them: three digits and a unit.</summary>
public static class Units
{
    /// <summary>Stands where there is nothing to say.</summary>
    public const string None = "–";

    /// <summary>How many.</summary>
    public static string Count(double count) => Math.Abs(count) switch
    {
        < 10_000 => count.ToString("#,0", CultureInfo.InvariantCulture),
        < 1_000_000 => Digits(count / 1_000) + " k",
        < 1_000_000_000 => Digits(count / 1_000_000) + " M",
        _ => Digits(count / 1_000_000_000) + " G",
    };

    /// <summary>So many in a second.</summary>
    public static string Rate(double perSecond) => perSecond is > 0 and < 0.1 ? Digits(perSecond * 60) + "/min" : Digits(perSecond) + "/s";

    /// <summary>A share of 1 as a percentage.</summary>
    public static string Share(double share) => share switch
    {
        0 => "0 %",
        < 0.0001 => "< 0.01 %",
        < 0.01 => (share * 100).ToString("0.00", CultureInfo.InvariantCulture) + " %",
        < 0.1 => (share * 100).ToString("0.0", CultureInfo.InvariantCulture) + " %",
        _ => (share * 100).ToString("0", CultureInfo.InvariantCulture) + " %",
    };

    /// <summary>A share of two counts; nothing when there is no second.</summary>
    public static string Share(long part, long whole) => whole == 0 ? None : Share((double)part / whole);

    /// <summary>How long.</summary>
    public static string Duration(TimeSpan span) => span.TotalMilliseconds switch
    {
        0 => "0 ms",
        < 1 => Digits(span.TotalMicroseconds) + " µs",
        < 1_000 => Digits(span.TotalMilliseconds) + " ms",
        < 60_000 => Digits(span.TotalSeconds) + " s",
        < 3_600_000 => $"{(int)span.TotalMinutes} min {span.Seconds} s",
        < 86_400_000 => $"{(int)span.TotalHours} h {span.Minutes} min",
        _ => $"{(int)span.TotalDays} d {span.Hours} h",
    };

    /// <summary>How much.</summary>
    public static string Bytes(double bytes) => bytes switch
    {
        < 1_000 => bytes.ToString("0", CultureInfo.InvariantCulture) + " B",
        < 1_000_000 => Digits(bytes / 1_000) + " kB",
        < 1_000_000_000 => Digits(bytes / 1_000_000) + " MB",
        _ => Digits(bytes / 1_000_000_000) + " GB",
    };

    /// <summary>What something cost: at least, where not all of it is known; nothing, where nothing was sent.</summary>
    /// <param name="costs">What is known.</param>
    /// <param name="unknown">Calls whose cost is not known, or not all of it.</param>
    public static string Cost(IReadOnlyList<(string Currency, decimal Amount)> costs, long unknown) =>
        costs.Count == 0 ? unknown > 0 ? "unknown" : None : (unknown > 0 ? "≥ " : "") + string.Join(" + ", costs.Select(cost => Money(cost.Amount) + " " + cost.Currency));

    private static string Money(decimal amount) => amount switch
    {
        0 => "0",
        < 0.000001m => "< 0.000001",
        < 1 => amount.ToString("0.######", CultureInfo.InvariantCulture),
        < 10_000 => amount.ToString("#,0.00", CultureInfo.InvariantCulture),
        _ => amount.ToString("#,0", CultureInfo.InvariantCulture),
    };

    private static string Digits(double number) => Math.Abs(number) switch
    {
        0 => "0",
        < 10 => number.ToString("0.##", CultureInfo.InvariantCulture),
        < 100 => number.ToString("0.#", CultureInfo.InvariantCulture),
        _ => number.ToString("#,0", CultureInfo.InvariantCulture),
    };
}
