namespace Tidegate.Routing;

/// <summary>An endpoint's path: literal segments, <c>*</c> or <c>{name}</c> for exactly one, a final <c>**</c> for the rest, even none.</summary>
internal sealed class PathPattern
{
    private readonly string?[] _segments;
    private readonly bool _takesRest;

    public PathPattern(string text)
    {
        var segments = text.TrimStart('/').Split('/');
        _takesRest = segments[^1] == "**";
        _segments = [.. segments.SkipLast(_takesRest ? 1 : 0).Select(segment => segment == "*" || (segment.StartsWith('{') && segment.EndsWith('}')) ? null : segment)];
    }

    /// <summary>From the left, a literal comes before a parameter before the rest.</summary>
    public static IComparer<PathPattern> MostSpecificFirst { get; } = Comparer<PathPattern>.Create(Compare);

    /// <summary>Whether a path is the prefix or lies below it on whole segments.</summary>
    public static bool IsBelow(string path, string prefix) =>
        path.StartsWith(prefix, StringComparison.Ordinal) && (path.Length == prefix.Length || path[prefix.Length] == '/');

    /// <summary>Whether a path, with its first slash, fits.</summary>
    public bool Matches(ReadOnlySpan<char> path)
    {
        var rest = path.StartsWith("/") ? path[1..] : path;
        var ended = false;
        foreach (var expected in _segments)
        {
            if (ended)
            {
                return false;
            }

            var slash = rest.IndexOf('/');
            var segment = slash < 0 ? rest : rest[..slash];
            if (expected is null ? segment.IsEmpty : !segment.SequenceEqual(expected))
            {
                return false;
            }

            ended = slash < 0;
            rest = ended ? default : rest[(slash + 1)..];
        }

        return _takesRest || ended;
    }

    private static int Compare(PathPattern one, PathPattern other)
    {
        for (var i = 0; ; i++)
        {
            var rank = one.Rank(i).CompareTo(other.Rank(i));
            if (rank != 0 || (i >= one._segments.Length && i >= other._segments.Length))
            {
                return rank;
            }
        }
    }

    private int Rank(int position) => position >= _segments.Length ? (_takesRest ? 3 : 0) : _segments[position] is null ? 2 : 1;
}
