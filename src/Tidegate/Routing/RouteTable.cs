using System.Collections.Frozen;
using Tidegate.Exchanges;

namespace Tidegate.Routing;

/// <summary>
/// Finds the route of a request. Hosts through a frozen dictionary (exact first, then the longest wildcard, then APIs for any host), then
/// the longest path prefix on whole segments, then the most specific endpoint: literal before parameter before rest, a listed method
/// before any. Matching allocates nothing, base-URL calls aside, whose path is cut.
/// </summary>
public sealed class RouteTable
{
    private readonly FrozenDictionary<string, HostRoutes>[] _byHost;
    private readonly FrozenDictionary<string, HostRoutes>.AlternateLookup<ReadOnlySpan<char>>[] _byWildcard;
    private readonly HostRoutes? _byBasePath;

    // Tells this table from others without being it: a target that nobody asks for any more must not keep a table of before.
    private readonly object _version = new();

    /// <summary>Builds the table; the order of <paramref name="routes"/> does not matter.</summary>
    public RouteTable(IEnumerable<Route> routes)
    {
        var apis = routes.GroupBy(route => (route.Direction, route.ApiName)).Select(group => new ApiRoutes([.. group])).ToList();
        _byHost = [.. Enum.GetValues<Direction>().Select(direction => ByHost(apis.Where(api => api.Api.Direction == direction)))];
        _byWildcard = [.. _byHost.Select(hosts => hosts.GetAlternateLookup<ReadOnlySpan<char>>())];
        var withBasePath = apis.Where(api => api.Api.BasePath is not null).Select(api => (api.Api.BasePath!.TrimEnd('/'), api)).ToList();
        _byBasePath = withBasePath.Count == 0 ? null : new HostRoutes(withBasePath);
    }

    /// <summary>By host and path (both directions, absolute-form, CONNECT and ingress). CONNECT has an empty path: only the API is found.</summary>
    public RouteMatch Match(Direction direction, string method, ExchangeTarget target)
    {
        if (target.Routed.Found is KnownMatch known && ReferenceEquals(known.Version, _version) && ReferenceEquals(known.Method, method) && known.Direction == direction)
        {
            return known.Match;
        }

        var match = new RouteMatch(MatchHost(direction, target.Host, method, target.Path), target.Path);
        if (target.Routed.IsAskedAgain() && ReferenceEquals(string.IsInterned(method), method))
        {
            target.Routed.Keep(new KnownMatch(_version, direction, method, match));
        }

        return match;
    }

    /// <summary>Egress, origin-form: by the API's base path on the gateway's own address.</summary>
    public RouteMatch MatchBasePath(string method, string path)
    {
        if (path.Length < 2 || _byBasePath?.Find(path) is not { } api)
        {
            return new RouteMatch(null, path);
        }

        var basePathLength = api.Api.BasePath!.TrimEnd('/').Length;
        var rest = path.Length == basePathLength ? "/" : path[basePathLength..];

        // The API's own path restricts its base-URL calls as it restricts all others.
        return new RouteMatch(IsBelow(rest, api.Prefix) ? api.Match(method, rest) : null, rest);
    }

    private static FrozenDictionary<string, HostRoutes> ByHost(IEnumerable<ApiRoutes> apis) => apis
        .SelectMany(api => (api.Api.Hosts.Count == 0 ? ["*"] : api.Api.Hosts).Select(host => (Host: host.TrimStart('*'), Api: api)))
        .GroupBy(entry => entry.Host)
        .ToFrozenDictionary(group => group.Key, group => new HostRoutes(group.Select(entry => (entry.Api.Prefix, entry.Api))), StringComparer.Ordinal);

    private static bool IsBelow(string path, string prefix) =>
        path.StartsWith(prefix, StringComparison.Ordinal) && (path.Length == prefix.Length || path[prefix.Length] == '/');

    /// <summary>Wildcards are stored as <c>.example.com</c>, any host as the empty string: cutting label after label finds the longest first.</summary>
    private Route? MatchHost(Direction direction, string host, string method, string path)
    {
        if (_byHost[(int)direction].TryGetValue(host, out var exact) && MatchPath(exact, method, path) is { } byName)
        {
            return byName;
        }

        var suffix = host.AsSpan();
        while (!suffix.IsEmpty)
        {
            var dot = suffix[1..].IndexOf('.');
            suffix = dot < 0 ? default : suffix[(dot + 1)..];
            if (_byWildcard[(int)direction].TryGetValue(suffix, out var wildcard) && MatchPath(wildcard, method, path) is { } byWildcard)
            {
                return byWildcard;
            }
        }

        return null;
    }

    private static Route? MatchPath(HostRoutes host, string method, string path) =>
        host.Find(path) is not { } api ? null : path.StartsWith('/') ? api.Match(method, path) : api.Api;

    /// <summary>What a target was matched to before, and by which table. Methods are few and one object each; one that a client invents is not kept.</summary>
    private sealed record KnownMatch(object Version, Direction Direction, string Method, RouteMatch Match);
}
