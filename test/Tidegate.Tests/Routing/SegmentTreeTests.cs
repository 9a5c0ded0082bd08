using CsCheck;
using Tidegate.Routing;
using Xunit;

namespace Tidegate.Tests.Routing;

/// <summary>The tree against the rule it stands for: try every pattern, most specific first.</summary>
public sealed class SegmentTreeTests
{
    private static readonly Gen<string> Pattern =
        from segments in Gen.OneOf("a", "b", "*", "{id}", "").Array[1, 4]
        from takesRest in Gen.Bool
        select "/" + string.Join('/', takesRest ? [.. segments, "**"] : segments);

    private static readonly Gen<string> Path = Gen.OneOf("a", "b", "c", "").Array[1, 5].Select(segments => "/" + string.Join('/', segments));

    private static readonly Gen<string[]> Methods = Gen.OneOf<string[]>([], ["GET"], ["POST", "PUT"]);

    [Fact]
    public void It_finds_what_trying_every_pattern_finds() => Gen.Select(Gen.Select(Pattern, Methods).Array[0, 12], Path, Gen.OneOf("GET", "PUT", "DELETE")).Sample(
        (entries, path, method) =>
        {
            var numbered = entries.Select((entry, i) => (Pattern: PathPattern.OfEndpoint(entry.Item1), Methods: (IReadOnlyList<string>)entry.Item2, Value: i.ToString(System.Globalization.CultureInfo.InvariantCulture))).ToList();

            var found = new SegmentTree<string>(numbered).Find(path, method);

            var expected = numbered
                .Where(entry => (entry.Methods.Count == 0 || entry.Methods.Contains(method)) && Matches(entry.Pattern, path))
                .OrderBy(entry => Rank(entry.Pattern), StringComparer.Ordinal)
                .ThenByDescending(entry => entry.Methods.Count > 0)
                .Select(entry => entry.Value)
                .FirstOrDefault();
            Assert.Equal(expected, found);
        },
        iter: 20_000);

    private static bool Matches(PathPattern pattern, string path)
    {
        var segments = path[1..].Split('/');
        var given = pattern.Segments;
        return (segments.Length == given.Count || (pattern.TakesRest && segments.Length > given.Count))
            && given.Zip(segments).All(pair => pair.First is null ? pair.Second.Length > 0 : pair.First == pair.Second);
    }

    // From the left: the end before a literal before a parameter before the rest.
    private static string Rank(PathPattern pattern) => string.Concat(pattern.Segments.Select(segment => segment is null ? '2' : '1')) + (pattern.TakesRest ? '3' : '0');
}
