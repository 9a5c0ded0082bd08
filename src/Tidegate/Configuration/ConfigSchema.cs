using System.Reflection;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Tidegate.Configuration;

/// <summary>The JSON Schema (2020-12) of the configuration file, for completion and checks in editors. Made from the records that the binder fills.</summary>
internal static class ConfigSchema
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The schema as text, the same for the same records.</summary>
    public static string Text()
    {
        var definitions = new JsonObject();
        var root = new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["title"] = "Tidegate configuration",
            ["$ref"] = Define(typeof(GatewayConfig), definitions),
            ["$defs"] = definitions,
        };
        return root.ToJsonString(Indented) + "\n";
    }

    private static string Define(Type record, JsonObject definitions)
    {
        var name = ConfigShape.SnakeCase(record.Name.Replace("Config", "", StringComparison.Ordinal));
        if (!definitions.ContainsKey(name))
        {
            var properties = new JsonObject();
            var required = new JsonArray();
            var definition = new JsonObject { ["type"] = "object", ["additionalProperties"] = false, ["properties"] = properties };

            // Known before its properties are looked at, so that a record may hold itself.
            definitions[name] = definition;
            foreach (var (key, property) in ConfigShape.Keys(record))
            {
                var value = Value(property.PropertyType, ConfigShape.IsSize(property), definitions);
                value["description"] = property.GetCustomAttribute<DocAttribute>()?.Text;
                properties[key] = value;
                if (ConfigShape.IsRequired(property))
                {
                    required.Add(key);
                }
            }

            if (required.Count > 0)
            {
                definition["required"] = required;
            }
        }

        return "#/$defs/" + name;
    }

    private static JsonObject Value(Type declared, bool isSize, JsonObject definitions)
    {
        var type = Nullable.GetUnderlyingType(declared) ?? declared;
        if (ConfigShape.ItemType(type) is { } item)
        {
            // One item may stand without the list around it.
            var single = Value(item, isSize: false, definitions);
            return AnyOf(single, new JsonObject { ["type"] = "array", ["items"] = single.DeepClone() });
        }

        if (ConfigShape.IsRecord(type))
        {
            var reference = new JsonObject { ["$ref"] = Define(type, definitions) };
            if (type.GetCustomAttribute<ShortFormAttribute>() is { } form)
            {
                var property = ConfigShape.Keys(type).First(key => key.Key == form.Key).Property;
                return AnyOf(Value(property.PropertyType, ConfigShape.IsSize(property), definitions), reference);
            }

            return type.IsDefined(typeof(BareWordAttribute))
                ? AnyOf(new JsonObject { ["enum"] = new JsonArray([.. ConfigShape.Keys(type).Where(key => ConfigShape.IsRecord(key.Property.PropertyType)).Select(key => JsonValue.Create(key.Key))]) }, reference)
                : reference;
        }

        return type.IsEnum ? AnyOf(new JsonObject { ["enum"] = new JsonArray([.. ConfigShape.Words(type).Select(word => JsonValue.Create(word))]) }, Reference())
            : type == typeof(bool) ? AnyOf(new JsonObject { ["type"] = "boolean" }, Reference())
            : type == typeof(int) ? AnyOf(new JsonObject { ["type"] = "integer", ["minimum"] = 1 }, Reference())
            : type == typeof(double) ? AnyOf(Pattern("^[0-9.]+ *%$"), Reference())
            : type == typeof(TimeSpan) ? AnyOf(Pattern("^[0-9.]+ *(ms|s|m|h|d)$"), Reference())
            : isSize ? AnyOf(new JsonObject { ["type"] = "integer", ["minimum"] = 0 }, Pattern("^[0-9.]+ *([KMGkmg]?[Bb])?$"), Reference())
            : new JsonObject { ["type"] = "string" };
    }

    private static JsonObject AnyOf(params JsonNode[] choices) => new() { ["anyOf"] = new JsonArray(choices) };

    private static JsonObject Pattern(string pattern) => new() { ["type"] = "string", ["pattern"] = pattern };

    /// <summary>Any value may come from a reference.</summary>
    private static JsonObject Reference() => Pattern(@"\$\{(env|file|secret):[^}]+\}");
}
