using System.Globalization;

namespace Tidegate.Configuration;

/// <summary>Durations, sizes and shares as people write them. Each says what it expects when it fails.</summary>
internal static class ScalarParser
{
    private static readonly (string Unit, double Milliseconds)[] DurationUnits =
        [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

    private static readonly (string Unit, double Bytes)[] SizeUnits =
        [("KB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30), ("B", 1), ("", 1)];

    /// <summary><c>200ms</c>, <c>1.5s</c>, <c>5m</c>, <c>1h</c>, <c>30d</c>; above zero and at most 366 days.</summary>
    public static bool TryDuration(string text, out TimeSpan duration)
    {
        duration = default;
        if (!TryNumberWithUnit(text, DurationUnits, StringComparison.Ordinal, out var milliseconds) || milliseconds is < 1 or > 366 * 86_400_000.0)
        {
            return false;
        }

        duration = TimeSpan.FromMilliseconds(milliseconds);
        return true;
    }

    /// <summary><c>512</c>, <c>64KB</c>, <c>10MB</c>, <c>1GB</c>; powers of 1024; at most 1 TB.</summary>
    public static bool TrySize(string text, out long bytes)
    {
        bytes = 0;
        if (!TryNumberWithUnit(text, SizeUnits, StringComparison.OrdinalIgnoreCase, out var value) || value is > 0 and < 1 or > 1L << 40)
        {
            return false;
        }

        bytes = (long)value;
        return true;
    }

    /// <summary><c>20%</c>, from 0 to 100; gives 0 to 1.</summary>
    public static bool TryShare(string text, out double share)
    {
        share = 0;
        if (!TryNumberWithUnit(text, [("%", 0.01)], StringComparison.Ordinal, out var value) || value > 1)
        {
            return false;
        }

        share = value;
        return true;
    }

    private static bool TryNumberWithUnit(string text, (string Unit, double Factor)[] units, StringComparison comparison, out double value)
    {
        var digits = 0;
        while (digits < text.Length && (char.IsAsciiDigit(text[digits]) || text[digits] == '.'))
        {
            digits++;
        }

        value = 0;
        var unit = text[digits..].TrimStart();
        foreach (var (name, factor) in units)
        {
            if (unit.Equals(name, comparison) && double.TryParse(text.AsSpan(0, digits), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            {
                value = number * factor;
                return true;
            }
        }

        return false;
    }
}
