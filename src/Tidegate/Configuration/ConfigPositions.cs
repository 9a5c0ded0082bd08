using System.Reflection;
using YamlDotNet.RepresentationModel;

namespace Tidegate.Configuration;

/// <summary>Remembers where each bound record stood, so that what the compiler finds can be shown in the file.</summary>
internal sealed class ConfigPositions
{
    private readonly Dictionary<object, (string File, YamlNode Node)> _nodes = new(ReferenceEqualityComparer.Instance);

    public void Remember(object record, string file, YamlNode node) => _nodes[record] = (file, node);

    /// <summary>The position of a record, of a key's value in it, or of an item of a list there; as near as is known.</summary>
    public ConfigPosition Of(object record, string? key = null, int item = -1)
    {
        if (!_nodes.TryGetValue(record, out var found))
        {
            return new ConfigPosition("configuration", 1, 1);
        }

        var node = found.Node;
        if (key is not null && node is YamlMappingNode mapping && mapping.Children.TryGetValue(new YamlScalarNode(key), out var value))
        {
            node = item >= 0 && value is YamlSequenceNode list && item < list.Children.Count ? list.Children[item] : value;
        }

        return At(found.File, node);
    }

    /// <summary>A key's value, or an item of its list, as it stands in the file, before references are resolved; null when it is not there or no single value.</summary>
    public string? Written(object record, string key, int item = -1)
    {
        var node = Node(record, key);
        return ((item >= 0 && node is YamlSequenceNode list && item < list.Children.Count ? list.Children[item] : node) as YamlScalarNode)?.Value;
    }

    /// <summary>Whether a key stands in the file, even if its value could not be used.</summary>
    public bool IsWritten(object record, string key) => Node(record, key) is not null;

    /// <summary>Whether a key's value, or an item of its list, comes from <c>${secret:...}</c>.</summary>
    public bool IsSecret(object record, string key)
    {
        var node = Node(record, key);
        return (node is YamlSequenceNode list ? list.Children : node is null ? [] : [node])
            .Any(item => item is YamlScalarNode { Value: { } text } && text.Contains("${secret:", StringComparison.Ordinal));
    }

    private YamlNode? Node(object record, string key) => !_nodes.TryGetValue(record, out var found) ? null
        : found.Node is YamlMappingNode mapping && mapping.Children.TryGetValue(new YamlScalarNode(key), out var value) ? value
        : found.Node is YamlScalarNode && record.GetType().GetCustomAttribute<ShortFormAttribute>()?.Key == key ? found.Node
        : null;

    public static ConfigPosition At(string file, YamlNode node) => new(file, node.Start.Line, node.Start.Column);

    /// <summary>The same records under other identities: a merged list keeps its items, a merged root has the first file's position.</summary>
    public void Alias(object record, object original)
    {
        if (_nodes.TryGetValue(original, out var found))
        {
            _nodes[record] = found;
        }
    }
}
