using System.Text.Json;

namespace Tidegate.Policies.Cache;

/// <summary>What a webhook purges of one API's stored answers. Made by the compiler.</summary>
internal sealed record PurgePlan
{
    public required string Api { get; init; }

    public IReadOnlyList<PurgeTemplate> Tags { get; init; } = [];

    public IReadOnlyList<PurgeTemplate> Urls { get; init; } = [];

    public IReadOnlyList<PurgeTemplate> Prefixes { get; init; } = [];

    /// <summary>They become stale instead of gone.</summary>
    public bool IsSoft { get; init; }

    /// <summary>By which parts of a query the API's answers are stored.</summary>
    public IReadOnlyList<QueryRule> Queries { get; init; } = [];

    /// <summary>A URL in the forms in which requests for it are stored; none when no request could be for it.</summary>
    public required Func<string, IReadOnlyList<string>> Targets { get; init; }

    private bool IsWholeApi => Tags.Count + Urls.Count + Prefixes.Count == 0;

    /// <summary>Purges what the content speaks of. What cannot be told is purged: an answer too many is asked for, and none is used that is no longer true.</summary>
    /// <returns>How many purges it took.</returns>
    public static int Apply(IReadOnlyList<PurgePlan> plans, ReadOnlyMemory<byte> content, HttpCache cache)
    {
        using var document = Parse(content);
        var purges = 0;
        foreach (var plan in plans)
        {
            purges += plan.Apply(document?.RootElement, cache);
        }

        return purges;
    }

    /// <summary>In one line, for people.</summary>
    public string Describe() =>
        $"purges {(IsWholeApi ? "everything" : string.Join(", ", [.. Tags.Select(static tag => "tag " + tag.Text), .. Urls.Select(static url => url.Text), .. Prefixes.Select(static prefix => prefix.Text + "*")]))} of {Api}{(IsSoft ? " (soft)" : "")}";

    private static JsonDocument? Parse(ReadOnlyMemory<byte> content)
    {
        try
        {
            return JsonDocument.Parse(content);
        }
        catch (JsonException)
        {
            // No JSON: where a name needs a value of it, the whole API is purged.
            return null;
        }
    }

    private int Apply(JsonElement? content, HttpCache cache)
    {
        var names = new List<(PurgeKind Kind, string Name)>();
        if (IsWholeApi || !(Add(PurgeKind.Tag, Tags) && Add(PurgeKind.Url, Urls) && Add(PurgeKind.Prefix, Prefixes)))
        {
            cache.PurgeApi(Api, IsSoft);
            return 1;
        }

        foreach (var (kind, name) in names)
        {
            switch (kind)
            {
                case PurgeKind.Tag:
                    cache.PurgeTag(Api, name, IsSoft);
                    break;
                case PurgeKind.Url:
                    cache.PurgeUrl(name, IsSoft, Queries);
                    break;
                default:
                    cache.PurgePrefix(name, IsSoft);
                    break;
            }
        }

        return names.Count;

        bool Add(PurgeKind kind, IReadOnlyList<PurgeTemplate> templates)
        {
            foreach (var template in templates)
            {
                if (template.HasPointers && content is null)
                {
                    return false;
                }

                if (template.Fill(content ?? default, kind == PurgeKind.Tag ? static value => value : Uri.EscapeDataString) is not { } filled)
                {
                    return false;
                }

                foreach (var name in filled)
                {
                    if (kind == PurgeKind.Tag)
                    {
                        names.Add((kind, name));
                    }
                    else
                    {
                        names.AddRange(Targets(name).Select(target => (kind, target)));
                    }
                }
            }

            return true;
        }
    }
}
