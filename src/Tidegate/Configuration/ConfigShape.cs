using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace Tidegate.Configuration;

/// <summary>How a config record looks in YAML. The binder and the JSON Schema both read it, so they cannot differ.</summary>
internal static class ConfigShape
{
    /// <summary>The record's keys in order, with the properties that they set.</summary>
    public static IReadOnlyList<(string Key, PropertyInfo Property)> Keys(Type record) =>
        [.. record.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanWrite).Select(property => (SnakeCase(property.Name), property))];

    public static bool IsRequired(PropertyInfo property) => property.IsDefined(typeof(RequiredMemberAttribute));

    public static bool IsSize(PropertyInfo property) => property.IsDefined(typeof(SizeAttribute));

    /// <summary>The type of one item, when this is a list.</summary>
    public static Type? ItemType(Type type) => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>) ? type.GetGenericArguments()[0] : null;

    /// <summary>Whether this is written as a mapping.</summary>
    public static bool IsRecord(Type type) => type.Namespace == typeof(GatewayConfig).Namespace && type.IsClass && type != typeof(Secret);

    /// <summary>The one value that is all a record says, when it may be written without the mapping around it; else null.</summary>
    public static (string Key, object Value)? ShortForm(object record) =>
        record.GetType().GetCustomAttribute<ShortFormAttribute>() is { } form
        && Keys(record.GetType()).Where(key => key.Property.GetValue(record) is not (null or "")).ToList() is [var only]
        && only.Key == form.Key
            ? (form.Key, only.Property.GetValue(record)!)
            : null;

    /// <summary>The words of an enum.</summary>
    public static IEnumerable<string> Words(Type type) => Enum.GetNames(type).Select(SnakeCase);

    public static string SnakeCase(string pascal)
    {
        var builder = new StringBuilder();
        foreach (var letter in pascal)
        {
            if (char.IsUpper(letter) && builder.Length > 0)
            {
                builder.Append('_');
            }

            builder.Append(char.ToLowerInvariant(letter));
        }

        return builder.ToString();
    }
}
