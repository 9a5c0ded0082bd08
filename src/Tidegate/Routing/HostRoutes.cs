namespace Tidegate.Routing;

/// <summary>The APIs of one host name, of one wildcard, or of all base paths, by path.</summary>
internal sealed class HostRoutes
{
    private readonly SegmentTree<ApiRoutes> _byPrefix;
    private readonly ApiRoutes _deepest;
    private readonly ApiRoutes? _root;

    public HostRoutes(IEnumerable<(string Prefix, ApiRoutes Api)> apis)
    {
        var all = apis.ToList();
        _byPrefix = new SegmentTree<ApiRoutes>(all.Select(entry => (PathPattern.Below(entry.Prefix), (IReadOnlyList<string>)[], entry.Api)));
        _deepest = all.MaxBy(entry => entry.Prefix.Length).Api;
        _root = all.FirstOrDefault(entry => entry.Prefix.Length == 0).Api;
    }

    /// <summary>The API with the longest prefix of the path; null when the path is none's.</summary>
    public ApiRoutes? Find(string path) => path switch
    {
        // A CONNECT has no path: it finds the API with the narrowest claim, whose tunnel rule then decides for the host.
        "" => _deepest,

        // OPTIONS * asks about the server (RFC 9110 9.3.7): whoever has all of it answers.
        "*" => _root,
        _ => _byPrefix.Find(path, ""),
    };
}
