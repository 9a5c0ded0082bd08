using Microsoft.AspNetCore.WebUtilities;

namespace Tidegate.Dashboard.Views;

/// <summary>Everything that the URL says about what is shown: a link to it shows the same to somebody else.</summary>
/// <param name="Path">The page, with its leading slash.</param>
/// <param name="Query">The parameters, each once.</param>
public sealed record View(string Path, IReadOnlyDictionary<string, string> Query)
{
    private const string ZoneParameter = "zone";
    private const string LiveParameter = "live";

    // Nobody types that; a link that somebody made up does not cost more.
    private const int MaxValue = 512;

    // What stays when one goes to another page.
    private static readonly string[] Kept = ["last", "from", "to", ZoneParameter, LiveParameter];

    /// <summary>The time that is shown.</summary>
    public TimeRange Range { get; } = TimeRange.Parse(Query.GetValueOrDefault("last"), Query.GetValueOrDefault("from"), Query.GetValueOrDefault("to"));

    /// <summary>Times are shown as UTC; else as the browser's.</summary>
    public bool IsUtc => this[ZoneParameter] == "utc";

    /// <summary>Nothing changes by itself.</summary>
    public bool IsPaused => this[LiveParameter] == "off";

    /// <summary>A parameter; empty when it is not there.</summary>
    public string this[string name] => Query.TryGetValue(name, out var value) ? value : "";

    /// <summary>Reads a URL.</summary>
    public static View Of(string url)
    {
        var uri = new Uri(url);
        var query = QueryHelpers.ParseQuery(uri.Query).Where(parameter => parameter.Value.Count > 0 && parameter.Value[0] is { Length: > 0 and <= MaxValue });
        return new View(uri.AbsolutePath, query.ToDictionary(parameter => parameter.Key, parameter => parameter.Value[0]!, StringComparer.Ordinal));
    }

    /// <summary>The same page with other parameters; null takes one away.</summary>
    public string With(params ReadOnlySpan<(string Name, string? Value)> changes)
    {
        var query = new Dictionary<string, string>(Query, StringComparer.Ordinal);
        foreach (var (name, value) in changes)
        {
            if (string.IsNullOrEmpty(value))
            {
                query.Remove(name);
            }
            else
            {
                query[name] = value;
            }
        }

        return Write(Path, query);
    }

    /// <summary>Another page, for the same time.</summary>
    public string Link(string path, params ReadOnlySpan<(string Name, string? Value)> parameters)
    {
        var query = Query.Where(parameter => Kept.Contains(parameter.Key)).ToDictionary(StringComparer.Ordinal);
        foreach (var (name, value) in parameters)
        {
            if (!string.IsNullOrEmpty(value))
            {
                query[name] = value;
            }
        }

        return Write(path, query);
    }

    /// <summary>The page of something that has a name.</summary>
    public string LinkTo(string folder, string name) => Link(folder + "/" + Uri.EscapeDataString(name));

    /// <summary>The page of an API.</summary>
    public string LinkToApi(string direction, string api) => LinkTo("/" + direction, Named(api));

    /// <summary>What stands in URLs for a name that is empty: a parameter without a value would not be there.</summary>
    public const string Unlisted = "(none)";

    /// <summary>A name as it stands in a URL.</summary>
    public static string Named(string name) => name.Length == 0 ? Unlisted : name;

    /// <summary>Another time, from its newest exchange on.</summary>
    public string WithRange(TimeRange range) => range.IsMoving
        ? With(("last", range == TimeRange.Default ? null : range.Last), ("from", null), ("to", null), ("after", null))
        : With(("last", null), ("from", TimeRange.Write(range.FixedFrom)), ("to", TimeRange.Write(range.FixedFrom + range.Span)), ("after", null));

    /// <summary>Two views are the same when their URLs are.</summary>
    public bool Equals(View? other) => other is not null && Write(Path, Query) == Write(other.Path, other.Query);

    /// <inheritdoc/>
    public override int GetHashCode() => Write(Path, Query).GetHashCode(StringComparison.Ordinal);

    private static string Write(string path, IEnumerable<KeyValuePair<string, string>> query) =>
        QueryHelpers.AddQueryString(path, query.OrderBy(parameter => parameter.Key, StringComparer.Ordinal).Select(parameter => new KeyValuePair<string, string?>(parameter.Key, parameter.Value)));
}
