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
