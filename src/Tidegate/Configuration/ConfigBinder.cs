using System.Collections;
using System.Globalization;
using System.Reflection;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Tidegate.Configuration;

/// <summary>Turns one file's YAML nodes into config records and notes everything that does not fit. It never stops at the first problem.</summary>
internal sealed class ConfigBinder(string file, SecretReferences references, ConfigPositions positions, List<ConfigProblem> problems)
{
    private readonly string _directory = Path.GetDirectoryName(Path.GetFullPath(file)) ?? ".";

    /// <summary>A record from a mapping; null when it cannot be made, with the reason among the problems.</summary>
    public object? BindRecord(Type type, YamlNode node)
    {
        if (node is YamlScalarNode word && type.IsDefined(typeof(BareWordAttribute)))
        {
            return BindBareWord(type, word);
        }

        if (node is YamlScalarNode && type.GetCustomAttribute<ShortFormAttribute>() is { } form)
        {
            return BindShortForm(type, form.Key, node);
        }

        if (node is not YamlMappingNode mapping)
        {
            Problem(node, "expected a mapping with the keys " + string.Join(", ", ConfigShape.Keys(type).Select(key => key.Key)));
            return null;
        }

        // Without its constructor's checks: a missing required key is a problem to report, not an exception.
        var record = Activator.CreateInstance(type, nonPublic: true)!;
        positions.Remember(record, file, mapping);
        var keys = ConfigShape.Keys(type);
        var complete = true;
        foreach (var (keyNode, value) in mapping.Children)
        {
            var name = (keyNode as YamlScalarNode)?.Value ?? "";
            if (keys.FirstOrDefault(key => key.Key == name).Property is { } property)
            {
                // A wrong value of an optional key leaves its default, so that the rest of the record is still looked at.
                complete &= Set(record, property, name, value) || !ConfigShape.IsRequired(property);
                continue;
            }

            var meant = Suggestion.For(name, keys.Select(key => key.Key));
            Problem(keyNode, $"unknown key '{name}'" + (meant is null ? $"; known here: {string.Join(", ", keys.Select(key => key.Key))}" : $", did you mean '{meant}'?"));
        }

        foreach (var (name, _) in keys.Where(key => ConfigShape.IsRequired(key.Property) && !mapping.Children.ContainsKey(new YamlScalarNode(key.Key))))
        {
            Problem(mapping, $"the key '{name}' is missing");
            complete = false;
        }

        return complete ? record : null;
    }

    private object? BindBareWord(Type type, YamlScalarNode word)
    {
        var property = ConfigShape.Keys(type).FirstOrDefault(key => key.Key == word.Value && ConfigShape.IsRecord(key.Property.PropertyType)).Property;
        if (property is null)
        {
            var words = ConfigShape.Keys(type).Where(key => ConfigShape.IsRecord(key.Property.PropertyType)).Select(key => key.Key).ToList();
            Problem(word, $"'{word.Value}' is not known here; use {string.Join(", ", words)}");
            return null;
        }

        var record = Activator.CreateInstance(type, nonPublic: true)!;
        positions.Remember(record, file, word);
        property.SetValue(record, Activator.CreateInstance(property.PropertyType, nonPublic: true));
        return record;
    }

    private object? BindShortForm(Type type, string key, YamlNode node)
    {
        var record = Activator.CreateInstance(type, nonPublic: true)!;
        positions.Remember(record, file, node);
        return Set(record, ConfigShape.Keys(type).First(candidate => candidate.Key == key).Property, key, node) ? record : null;
    }

    private bool Set(object record, PropertyInfo property, string key, YamlNode node)
    {
        if (node is YamlScalarNode { Value: null or "", Style: ScalarStyle.Plain })
        {
            Problem(node, $"'{key}' has no value; write one or remove the key");
            return false;
        }

        var value = Bind(property.PropertyType, ConfigShape.IsSize(property), key, node);
        if (value is null)
        {
            return false;
        }

        property.SetValue(record, property.GetCustomAttribute<PathAttribute>()?.IsPath((string)value) == true ? Path.GetFullPath(Path.Combine(_directory, (string)value)) : value);
        return true;
    }

    private object? Bind(Type type, bool isSize, string key, YamlNode node)
    {
        if (ConfigShape.ItemType(type) is { } itemType)
        {
            return BindList(itemType, key, node);
        }

        if (ConfigShape.IsRecord(type))
        {
            return BindRecord(type, node);
        }

        if (node is not YamlScalarNode scalar)
        {
            Problem(node, $"'{key}' must be a single value");
            return null;
        }

        var (text, problem) = references.Resolve(scalar.Value ?? "", _directory);
        if (text is null)
        {
            Problem(node, problem!);
            return null;
        }

        if (text.Contains('\0', StringComparison.Ordinal))
        {
            // No name, path or field value can have one, and the system's calls would end there.
            Problem(node, $"'{key}' has a NUL character; remove it");
            return null;
        }

        return BindScalar(Nullable.GetUnderlyingType(type) ?? type, isSize, key, scalar, text);
    }

    private IList? BindList(Type itemType, string key, YamlNode node)
    {
        var list = (IList)Activator.CreateInstance(typeof(List<>).MakeGenericType(itemType))!;
        var complete = true;
        foreach (var item in node is YamlSequenceNode sequence ? sequence.Children : [node])
        {
            if (Bind(itemType, false, key, item) is { } value)
            {
                list.Add(value);
            }
            else
            {
                complete = false;
            }
        }

        // A list with a broken item is still used, so that the problems of its other items are found too.
        return complete || problems.Count > 0 ? list : null;
    }

    private object? BindScalar(Type type, bool isSize, string key, YamlScalarNode node, string text)
    {
        if (type == typeof(string))
        {
            return text;
        }

        if (type == typeof(Secret))
        {
            // The hash of a password may stand in the file: that is what it is for.
            if (!node.Value!.Contains("${", StringComparison.Ordinal) && !node.Value.StartsWith(PasswordHash.Prefix, StringComparison.Ordinal))
            {
                problems.Add(new ConfigProblem(ConfigPositions.At(file, node), ConfigSeverity.Warning, $"'{key}' is a secret in plain text; use ${{secret:name}}, ${{env:NAME}} or ${{file:path}}"));
            }

            return new Secret(text);
        }

        if (type == typeof(bool))
        {
            return text switch
            {
                "true" => true,
                "false" => false,
                _ => Wrong(node, key, "true or false"),
            };
        }

        if (type == typeof(TimeSpan))
        {
            return ScalarParser.TryDuration(text, out var duration) ? duration : Wrong(node, key, "a duration such as 200ms, 5s, 2m or 1h");
        }

        if (isSize)
        {
            return ScalarParser.TrySize(text, out var bytes) ? bytes : Wrong(node, key, "a size such as 512, 64KB or 10MB");
        }

        // Every number that is not whole is a share.
        if (type == typeof(double))
        {
            return ScalarParser.TryShare(text, out var share) ? share : Wrong(node, key, "a share from 0% to 100%, such as 20%");
        }

        if (type == typeof(int))
        {
            return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 ? number : Wrong(node, key, "a whole number above 0");
        }

        foreach (var word in Enum.GetValues(type))
        {
            if (ConfigShape.SnakeCase(word.ToString()!) == text)
            {
                return word;
            }
        }

        var meant = Suggestion.For(text, ConfigShape.Words(type));
        return Wrong(node, key, string.Join(", ", ConfigShape.Words(type)) + (meant is null ? "" : $" (did you mean '{meant}'?)"));
    }

    private object? Wrong(YamlScalarNode node, string key, string expected)
    {
        // What was resolved from a reference may be a secret: only what stands in the file is shown.
        Problem(node, $"'{key}' is '{node.Value}'; expected {expected}");
        return null;
    }

    private void Problem(YamlNode node, string message) => problems.Add(new ConfigProblem(ConfigPositions.At(file, node), ConfigSeverity.Error, message));
}
