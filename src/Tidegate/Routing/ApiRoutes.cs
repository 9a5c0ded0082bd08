namespace Tidegate.Routing;

/// <summary>One API's route and those of its endpoints, most specific first.</summary>
internal sealed class ApiRoutes
{
    private readonly (PathPattern Pattern, Route Route)[] _endpoints;

    public ApiRoutes(IReadOnlyList<Route> routes)
    {
        Api = routes.First(route => route.EndpointPath is null);
        Prefix = Api.PathPrefix.TrimEnd('/');
        _endpoints = [.. routes
            .Where(route => route.EndpointPath is not null)
            .Select(route => (Pattern: new PathPattern(route.EndpointPath!), Route: route))
            .OrderBy(entry => entry.Pattern, PathPattern.MostSpecificFirst)
            .ThenByDescending(entry => entry.Route.Methods.Count > 0)];
    }

    /// <summary>The route of the API itself.</summary>
    public Route Api { get; }

    /// <summary>The path prefix without a final slash; empty matches everything.</summary>
    public string Prefix { get; }

    /// <summary>The most specific route for this path, or null when the path is not the API's.</summary>
    public Route? Match(string method, string path)
    {
        // A CONNECT has no path: it finds the API, whose tunnel rule then decides.
        if (path.Length == 0)
        {
            return Api;
        }

        if (!PathPattern.IsBelow(path, Prefix))
        {
            return null;
        }

        foreach (var (pattern, route) in _endpoints)
        {
            if ((route.Methods.Count == 0 || route.Methods.Contains(method)) && pattern.Matches(path.AsSpan(Prefix.Length)))
            {
                return route;
            }
        }

        return Api;
    }
}
