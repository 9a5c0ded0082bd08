using System.Collections;
using System.Globalization;
using System.Reflection;

namespace Tidegate.Configuration.Comparison;

/// <summary>Writes bound values as people write them in the file. A secret is never written.</summary>
internal static class ConfigText
{
    private const string Masked = "***";

    private static readonly (TimeSpan Unit, string Name)[] Durations =
        [(TimeSpan.FromDays(1), "d"), (TimeSpan.FromHours(1), "h"), (TimeSpan.FromMinutes(1), "m"), (TimeSpan.FromSeconds(1), "s")];

    private static readonly (long Unit, string Name)[] Sizes = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];

    /// <summary>Writes a value of a key.</summary>
    /// <param name="value">The bound value; null when the key is not there.</param>
    /// <param name="owner">The record that has the key.</param>
    /// <param name="property">The key's property.</param>
    /// <param name="positions">Knows what stood in the file: a reference to a secret masks whatever type the key has.</param>
    public static string Of(object? value, object owner, PropertyInfo property, ConfigPositions positions) =>
        value is null ? "not set" : positions.IsSecret(owner, ConfigShape.SnakeCase(property.Name)) ? Masked : Of(value, ConfigShape.IsSize(property), positions);

    /// <summary>Writes an item of a list.</summary>
    public static string Of(object value, ConfigPositions positions) => Of(value, isSize: false, positions);

    private static string Of(object value, bool isSize, ConfigPositions positions) => value switch
    {
        Secret => Masked,
        string text => text,
        bool flag => flag ? "true" : "false",
        TimeSpan duration => Scaled(duration),
        long bytes when isSize => Scaled(bytes),
        double share => Share(share),
        Enum word => ConfigShape.SnakeCase(word.ToString()),
        IEnumerable list => "[" + string.Join(", ", list.Cast<object>().Select(item => Of(item, isSize: false, positions))) + "]",
        IFormattable number when !ConfigShape.IsRecord(value.GetType()) => number.ToString(null, CultureInfo.InvariantCulture),
        _ => Mapping(value, positions),
    };

    /// <summary>The keys that are required or differ from their defaults, on one line.</summary>
    private static string Mapping(object record, ConfigPositions positions)
    {
        if (ConfigShape.ShortForm(record) is { } form)
        {
            return positions.IsSecret(record, form.Key) ? Masked : Of(form.Value, positions);
        }

        var plain = Activator.CreateInstance(record.GetType(), nonPublic: true)!;
        var keys = ConfigShape.Keys(record.GetType())
            .Where(key => key.Property.GetValue(record) is { } value && (ConfigShape.IsRequired(key.Property) || !ConfigEquality.AreEqual(value, key.Property.GetValue(plain))))
            .Select(key => $"{key.Key}: {Of(key.Property.GetValue(record), record, key.Property, positions)}")
            .ToList();
        return keys.Count == 0 ? "{}" : "{ " + string.Join(", ", keys) + " }";
    }

    /// <summary>A share of 0 to 1, as percent.</summary>
    public static string Share(double share) => Math.Round(share * 100, 10).ToString(CultureInfo.InvariantCulture) + "%";

    /// <summary>A duration in the largest unit that gives a whole number.</summary>
    public static string Scaled(TimeSpan duration)
    {
        foreach (var (unit, name) in Durations)
        {
            if (duration >= unit && duration.Ticks % unit.Ticks == 0)
            {
                return (duration.Ticks / unit.Ticks).ToString(CultureInfo.InvariantCulture) + name;
            }
        }

        return duration.TotalMilliseconds.ToString(CultureInfo.InvariantCulture) + "ms";
    }

    /// <summary>A size in the largest unit that gives a whole number.</summary>
    public static string Scaled(long bytes)
    {
        foreach (var (unit, name) in Sizes)
        {
            if (bytes >= unit && bytes % unit == 0)
            {
                return (bytes / unit).ToString(CultureInfo.InvariantCulture) + name;
            }
        }

        return bytes.ToString(CultureInfo.InvariantCulture);
    }
}
