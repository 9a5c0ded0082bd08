namespace Tidegate.Routing;

/// <summary>An endpoint's path: literal segments, <c>*</c> or <c>{name}</c> for exactly one, a final <c>**</c> for the rest, even none.</summary>
internal sealed class PathPattern
{
    private PathPattern(IReadOnlyList<string?> segments, bool takesRest)
    {
        Segments = segments;
        TakesRest = takesRest;
    }

    /// <summary>Literals, and null for a parameter.</summary>
    public IReadOnlyList<string?> Segments { get; }

    /// <summary>Whether anything may follow.</summary>
    public bool TakesRest { get; }

    /// <summary>As an endpoint's <c>match.path</c> is written.</summary>
    public static PathPattern OfEndpoint(string text)
    {
        var segments = text.TrimStart('/').Split('/');
        var takesRest = segments[^1] == "**";
        return new PathPattern([.. segments.SkipLast(takesRest ? 1 : 0).Select(segment => segment == "*" || (segment.StartsWith('{') && segment.EndsWith('}')) ? null : segment)], takesRest);
    }

    /// <summary>A path and everything below it, on whole segments; <c>/</c> is everything.</summary>
    public static PathPattern Below(string prefix) => new(prefix.Trim('/').Length == 0 ? [] : prefix.Trim('/').Split('/'), takesRest: true);
}
