namespace Tidegate.Routing;

/// <summary>One API's route and those of its endpoints.</summary>
internal sealed class ApiRoutes
{
    private readonly SegmentTree<Route>? _endpoints;

    public ApiRoutes(IReadOnlyList<Route> routes)
    {
        Api = routes.First(route => route.EndpointPath is null);
        Prefix = Api.PathPrefix.TrimEnd('/');
        var endpoints = routes.Where(route => route.EndpointPath is not null).ToList();
        _endpoints = endpoints.Count == 0 ? null : new SegmentTree<Route>(endpoints.Select(route => (PathPattern.OfEndpoint(route.EndpointPath!), route.Methods, route)));
    }

    /// <summary>The route of the API itself.</summary>
    public Route Api { get; }

    /// <summary>The path prefix without a final slash; empty matches everything.</summary>
    public string Prefix { get; }

    /// <summary>The most specific route for a path that lies at or below <see cref="Prefix"/>.</summary>
    public Route Match(string method, ReadOnlySpan<char> path) => _endpoints?.Find(path[Prefix.Length..], method) ?? Api;
}
