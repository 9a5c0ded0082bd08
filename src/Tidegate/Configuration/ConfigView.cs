using System.Collections;
using System.Text.Json;
using Tidegate.Configuration.Comparison;

namespace Tidegate.Configuration;

/// <summary>
/// A configuration as JSON that anybody may see: includes merged, secrets as asterisks, and what was written as a reference still as
/// that reference, since nobody can know what it led to.
/// </summary>
internal static class ConfigView
{
    private const string Masked = "***";

    public static void Write(Utf8JsonWriter json, GatewayConfig config, ConfigPositions positions) => WriteRecord(json, config, positions);

    private static void WriteRecord(Utf8JsonWriter json, object record, ConfigPositions positions)
    {
        json.WriteStartObject();
        foreach (var (key, property) in ConfigShape.Keys(record.GetType()))
        {
            if (property.GetValue(record) is not { } value || value is ICollection { Count: 0 })
            {
                continue;
            }

            json.WritePropertyName(key);
            if (ConfigShape.ItemType(property.PropertyType) is null)
            {
                WriteValue(json, value, positions.Written(record, key), positions);
                continue;
            }

            json.WriteStartArray();
            var items = (IList)value;
            for (var i = 0; i < items.Count; i++)
            {
                WriteValue(json, items[i]!, positions.Written(record, key, i), positions);
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private static void WriteValue(Utf8JsonWriter json, object value, string? written, ConfigPositions positions)
    {
        switch (value)
        {
            case Secret:
                json.WriteStringValue(Masked);
                break;
            case not null when ConfigShape.IsRecord(value.GetType()) && ConfigShape.ShortForm(value) is { } form:
                WriteValue(json, form.Value, positions.Written(value, form.Key), positions);
                break;
            case not null when ConfigShape.IsRecord(value.GetType()):
                WriteRecord(json, value, positions);
                break;
            case not null when written?.Contains("${", StringComparison.Ordinal) == true:
                json.WriteStringValue(written);
                break;
            case string text:
                json.WriteStringValue(text);
                break;
            case bool yes:
                json.WriteBooleanValue(yes);
                break;
            case int number:
                json.WriteNumberValue(number);
                break;
            case long bytes:
                json.WriteStringValue(ConfigText.Scaled(bytes));
                break;
            case TimeSpan duration:
                json.WriteStringValue(ConfigText.Scaled(duration));
                break;
            case double share:
                json.WriteStringValue(ConfigText.Share(share));
                break;
            case Enum word:
                json.WriteStringValue(ConfigShape.SnakeCase(word.ToString()));
                break;
            default:
                throw new NotSupportedException($"A configuration value of type {value?.GetType()} has no form here.");
        }
    }
}
