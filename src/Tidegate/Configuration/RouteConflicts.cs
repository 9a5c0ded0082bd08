using Tidegate.Exchanges;
using Tidegate.Routing;

namespace Tidegate.Configuration;

/// <summary>Finds APIs and endpoints of which only one can ever be chosen.</summary>
internal sealed class RouteConflicts(ConfigPositions positions, List<ConfigProblem> problems)
{
    public void Find(IReadOnlyList<ApiConfig> apis)
    {
        var names = new HashSet<string>();
        var claims = new Dictionary<(Direction, string Host, string Path), ApiConfig>();
        var basePaths = new Dictionary<string, string>();
        foreach (var api in apis)
        {
            if (!names.Add(api.Name))
            {
                Error(positions.Of(api, "name"), $"there are two APIs named '{api.Name}'; rename one");
            }

            Hosts(api, claims);
            if (api.BasePath is { } basePath && !basePaths.TryAdd(basePath, api.Name))
            {
                Error(positions.Of(api, "base_path"), $"'{basePaths[basePath]}' already has the base path '{basePath}'; choose another");
            }

            Endpoints(api);
        }
    }

    /// <summary>Hosts are compared as requests name them. One that is no host at all is reported elsewhere.</summary>
    private void Hosts(ApiConfig api, Dictionary<(Direction, string Host, string Path), ApiConfig> claims)
    {
        IReadOnlyList<string> hosts = api.Hosts.Count == 0 ? ["*"] : api.Hosts;
        for (var i = 0; i < hosts.Count; i++)
        {
            var canonical = "*";
            if (api.Hosts.Count > 0 && !HostPattern.TryCanonical(hosts[i], out canonical))
            {
                continue;
            }

            var claim = (api.Direction, canonical, api.Path.TrimEnd('/'));
            if (claims.TryAdd(claim, api))
            {
                continue;
            }

            var written = hosts[i] == canonical ? $"'{canonical}'" : $"'{hosts[i]}' (that is {canonical})";
            Error(positions.Of(api, "hosts", i), ReferenceEquals(claims[claim], api)
                ? $"the host {written} is listed twice in this API; remove one"
                : $"'{claims[claim].Name}' already has host {written} with path '{api.Path}'; this API would never be chosen for it. Give one of them a longer path, or remove the host");
        }
    }

    private void Endpoints(ApiConfig api)
    {
        var seen = new Dictionary<(string Path, string Method), string>();
        foreach (var endpoint in api.Endpoints)
        {
            var shape = Shape(endpoint.Match.Path);
            IReadOnlyList<string> methods = endpoint.Match.Methods.Count == 0 ? ["any"] : endpoint.Match.Methods;
            foreach (var method in methods)
            {
                var name = SnapshotCompiler.EndpointName(endpoint);
                if (!seen.TryAdd((shape, method), name))
                {
                    Error(positions.Of(endpoint.Match, "path"), $"the endpoint '{seen[(shape, method)]}' already has this path with method {method}; this one would never be chosen. Remove one, or give it other methods");
                    break;
                }
            }
        }
    }

    /// <summary>Two paths that match the same requests have the same shape: parameters lose their names.</summary>
    private static string Shape(string path)
    {
        var pattern = PathPattern.OfEndpoint(path);
        return string.Join('/', pattern.Segments.Select(segment => segment ?? "*")) + (pattern.TakesRest ? "/**" : "");
    }

    private void Error(ConfigPosition position, string message) => problems.Add(new ConfigProblem(position, ConfigSeverity.Error, message));
}
