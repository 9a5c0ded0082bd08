namespace Tidegate.Configuration;

/// <summary>Where a limit is written, as far as paths go: what a <c>path:NAME</c> of it can mean.</summary>
/// <param name="Paths">The limit's own; empty when it has none.</param>
/// <param name="Written">That of the API and of the endpoint behind it: targets have both.</param>
internal sealed record LimitPlace(IReadOnlyList<string> Paths, string Written)
{
    /// <summary>For words that are written where there are no paths.</summary>
    public static readonly LimitPlace Nowhere = new([], "");

    /// <summary>Which segment of a target has that name, from 0; null when none has, or when it is another in one path than in the next.</summary>
    public int? SegmentOf(string name)
    {
        var segments = (Paths.Count > 0 ? Paths : [Written]).Select(path => Array.IndexOf(path.Split('/', StringSplitOptions.RemoveEmptyEntries), "{" + name + "}")).Distinct().ToList();
        return segments is [>= 0 and var only] ? only : null;
    }
}
