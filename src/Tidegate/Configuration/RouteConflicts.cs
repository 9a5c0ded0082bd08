using Tidegate.Exchanges;

namespace Tidegate.Configuration;

/// <summary>Finds APIs and endpoints of which only one can ever be chosen.</summary>
internal sealed class RouteConflicts(ConfigPositions positions, List<ConfigProblem> problems)
{
    public void Find(IReadOnlyList<ApiConfig> apis)
    {
        var names = new HashSet<string>();
        var claims = new Dictionary<(Direction, string Host, string Path), string>();
        var basePaths = new Dictionary<string, string>();
        foreach (var api in apis)
        {
            if (!names.Add(api.Name))
            {
                Error(positions.Of(api, "name"), $"there are two APIs named '{api.Name}'");
            }

            IReadOnlyList<string> hosts = api.Hosts.Count == 0 ? ["*"] : api.Hosts;
            for (var i = 0; i < hosts.Count; i++)
            {
                var claim = (api.Direction, hosts[i].ToLowerInvariant(), api.Path.TrimEnd('/'));
                if (!claims.TryAdd(claim, api.Name))
                {
                    Error(positions.Of(api, "hosts", i), $"'{claims[claim]}' already has host '{hosts[i]}' with path '{api.Path}'; this API would never be chosen");
                }
            }

            if (api.BasePath is { } basePath && !basePaths.TryAdd(basePath, api.Name))
            {
                Error(positions.Of(api, "base_path"), $"'{basePaths[basePath]}' already has the base path '{basePath}'");
            }

            Endpoints(api);
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
                    Error(positions.Of(endpoint.Match, "path"), $"the endpoint '{seen[(shape, method)]}' already has this path with method {method}; this one would never be chosen");
                    break;
                }
            }
        }
    }

    /// <summary>Two paths that match the same requests have the same shape: parameters lose their names.</summary>
    private static string Shape(string path) =>
        string.Join('/', path.Split('/').Select(segment => segment == "*" || (segment.StartsWith('{') && segment.EndsWith('}')) ? "*" : segment));

    private void Error(ConfigPosition position, string message) => problems.Add(new ConfigProblem(position, ConfigSeverity.Error, message));
}
