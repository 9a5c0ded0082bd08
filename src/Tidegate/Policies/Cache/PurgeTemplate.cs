using System.Text;
using System.Text.Json;

namespace Tidegate.Policies.Cache;

/// <summary>A name with places for what a webhook says: <c>product-{/data/object/id}</c>, with JSON pointers (RFC 6901).</summary>
internal sealed class PurgeTemplate
{
    // A webhook is about one thing or a handful.
    private const int MaxNames = 64;
    private const int MaxValueLength = 512;

    private readonly List<(string Text, string[]? Pointer)> _parts = [];

    private PurgeTemplate(string text) => Text = text;

    public string Text { get; }

    public bool HasPointers => _parts.Exists(static part => part.Pointer is not null);

    /// <summary>Reads a template.</summary>
    /// <returns>It, or what is wrong with it.</returns>
    public static (PurgeTemplate? Template, string? Problem) Parse(string text)
    {
        var template = new PurgeTemplate(text);
        for (var rest = text; rest.Length > 0;)
        {
            var open = rest.IndexOf('{', StringComparison.Ordinal);
            if (open < 0)
            {
                template._parts.Add((rest, null));
                break;
            }

            var close = rest.IndexOf('}', open);
            if (close < 0 || open + 1 == close || rest[open + 1] != '/')
            {
                return (null, $"'{text}' has braces without a JSON pointer; write for example product-{{/data/object/id}}");
            }

            if (open > 0)
            {
                template._parts.Add((rest[..open], null));
            }

            template._parts.Add(("", [.. rest[(open + 2)..close].Split('/').Select(static token => token.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal))]));
            rest = rest[(close + 1)..];
        }

        return template._parts.Count == 0 ? (null, "an empty name purges nothing; leave it out") : (template, null);
    }

    /// <summary>The names that content makes of it.</summary>
    /// <param name="content">The webhook's; of no kind when it is no JSON.</param>
    /// <param name="encode">How a value is written in a name.</param>
    /// <returns>None when it does not speak of such a thing; null when it speaks of more than can be named, or of what is no text.</returns>
    public List<string>? Fill(JsonElement content, Func<string, string> encode)
    {
        var names = new List<string> { "" };
        foreach (var (text, pointer) in _parts)
        {
            if (pointer is null)
            {
                names = names.ConvertAll(name => name + text);
                continue;
            }

            if (ReadableValues(content, pointer) is not { } values || values.Count * names.Count > MaxNames)
            {
                return null;
            }

            names = [.. names.SelectMany(name => values.Select(value => name + encode(value)))];
        }

        return names;
    }

    /// <summary>With something in every place: what the configuration is checked with.</summary>
    public string Example()
    {
        var example = new StringBuilder();
        foreach (var (text, pointer) in _parts)
        {
            example.Append(pointer is null ? text : "x");
        }

        return example.ToString();
    }

    /// <summary>Escapes of half a character (RFC 8259 8.2) are JSON, but no text: whoever wrote them meant something that cannot be told.</summary>
    private static List<string>? ReadableValues(JsonElement content, string[] pointer)
    {
        try
        {
            return Values(content, pointer);
        }
        catch (InvalidOperationException)
        {
            // The only thing that a reader of parsed JSON throws for its content; kinds are looked at before.
            return null;
        }
    }

    private static List<string>? Values(JsonElement content, string[] pointer)
    {
        foreach (var token in pointer)
        {
            if (content.ValueKind == JsonValueKind.Object && content.TryGetProperty(token, out var member))
            {
                content = member;
            }
            else if (content.ValueKind == JsonValueKind.Array && int.TryParse(token, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var index) && index < content.GetArrayLength())
            {
                content = content[index];
            }
            else
            {
                return [];
            }
        }

        var values = new List<string>();
        foreach (var item in content.ValueKind == JsonValueKind.Array ? content.EnumerateArray().AsEnumerable() : [content])
        {
            var value = item.ValueKind switch
            {
                JsonValueKind.String => item.GetString()!,
                JsonValueKind.Number => item.GetRawText(),
                _ => "",
            };
            if (value.Length > MaxValueLength || values.Count > MaxNames)
            {
                return null;
            }

            if (value.Length > 0)
            {
                values.Add(value);
            }
        }

        return values;
    }
}
