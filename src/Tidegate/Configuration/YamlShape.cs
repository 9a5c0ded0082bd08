using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Tidegate.Configuration;

/// <summary>
/// Looks at a text's events before its nodes are built, because building is recursive: a text of brackets alone would take the whole process along, also one
/// that already serves traffic and only reloads.
/// </summary>
internal static class YamlShape
{
    // A configuration goes eight levels deep.
    private const int MaxDepth = 64;

    /// <summary>What is wrong with the text's shape and where; null when it can be built.</summary>
    /// <exception cref="YamlException">It is not YAML.</exception>
    public static (Mark At, string Message)? Problem(string yaml)
    {
        var parser = new Parser(new StringReader(yaml));
        try
        {
            return Problem(parser);
        }
        catch (Exception broken) when (broken is InvalidOperationException or ArgumentException)
        {
            // The library's parser says so of some texts that end too early, or have a tag that is no URI. It knows no place, but what it understood last.
            return (parser.Current?.Start ?? Mark.Empty, "this is not YAML from here on; is a bracket or a quote missing?");
        }
    }

    private static (Mark At, string Message)? Problem(Parser parser)
    {
        var levels = new Stack<Level>();
        var documents = 0;
        while (parser.MoveNext())
        {
            var current = parser.Current!;
            if (current is DocumentStart && ++documents > 1)
            {
                return (current.Start, "a file is one document; remove '---' and what follows, or put that into a file and include it");
            }

            if (current is SequenceEnd or MappingEnd)
            {
                levels.Pop();
                continue;
            }

            if (current is not (Scalar or AnchorAlias or SequenceStart or MappingStart))
            {
                continue;
            }

            if (levels.TryPeek(out var level))
            {
                // An alias can stand for much more than what is written, and a key is compared with every other.
                if (level.ExpectsKey && current is not Scalar)
                {
                    return (current.Start, "a key must be a word, not a list, a mapping or an alias");
                }

                level.ExpectsKey = level.IsMapping && !level.ExpectsKey;
            }

            if (current is SequenceStart or MappingStart)
            {
                levels.Push(new Level { IsMapping = current is MappingStart, ExpectsKey = current is MappingStart });
                if (levels.Count > MaxDepth)
                {
                    return (current.Start, $"this is nested more than {MaxDepth} levels deep");
                }
            }
        }

        return null;
    }

    private sealed class Level
    {
        public bool IsMapping { get; init; }

        public bool ExpectsKey { get; set; }
    }
}
