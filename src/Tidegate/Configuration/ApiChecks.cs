using Tidegate.Exchanges;

namespace Tidegate.Configuration;

/// <summary>What can be said about one API by itself.</summary>
internal sealed class ApiChecks(ConfigPositions positions, List<ConfigProblem> problems)
{
    /// <summary>Checks the API.</summary>
    /// <returns>Its hosts in the form that targets have: lower case, IDN as A-labels.</returns>
    public IReadOnlyList<string> Check(ApiConfig api, GatewayConfig config)
    {
        var listener = api.Direction == Direction.Egress ? (object?)config.Listeners.Egress : config.Listeners.Ingress;
        if (listener is null)
        {
            Problem(api, "direction", $"there is no {api.Direction.ToString().ToLowerInvariant()} listener for this API; add listeners.{api.Direction.ToString().ToLowerInvariant()}");
        }

        if (api.Direction == Direction.Egress && api.Hosts.Count == 0)
        {
            Problem(api, null, "an egress API needs hosts");
        }

        var allowsEncodedSlash = api.AllowEncodedSlash || api.Direction == Direction.Egress;
        Path(api, "path", PathChecks.OfPrefix(api.Path, allowsEncodedSlash));
        if (api.BasePath is { } basePath)
        {
            Path(api, "base_path", basePath.EndsWith('/') ? $"'{basePath}' must not end with '/' and must not be empty; write for example /{api.Name}" : PathChecks.OfPrefix(basePath, allowsEncodedSlash));
            if (api.Direction == Direction.Ingress)
            {
                Problem(api, "base_path", "base_path is for egress APIs; ingress has path");
            }
            else if (!api.Hosts.Any(host => !host.StartsWith('*')))
            {
                Problem(api, "base_path", "base_path leads to the first host, so one host must be without a wildcard");
            }
        }

        if (api.Direction == Direction.Egress && api.AllowEncodedSlash)
        {
            Problem(api, "allow_encoded_slash", "allow_encoded_slash is for ingress; egress always passes %2F");
        }

        if (api.Tunnel == TunnelMode.Intercept && config.Listeners.Egress?.Intercept != true)
        {
            Problem(api, "tunnel", "interception is off; set listeners.egress.intercept: true");
        }

        if (api.Authenticate.Count > 1)
        {
            Problem(api, "authenticate", "one way to authenticate is known so far; list one");
        }

        Access(api.Access, config);
        var names = new HashSet<string>();
        foreach (var endpoint in api.Endpoints)
        {
            Access(endpoint.Access, config);
            Path(endpoint.Match, "path", PathChecks.OfPattern(endpoint.Match.Path, allowsEncodedSlash));
            Methods(endpoint.Match, endpoint.Match.Methods);
            if (!names.Add(SnapshotCompiler.EndpointName(endpoint)))
            {
                Problem(endpoint, "name", $"there are two endpoints named '{SnapshotCompiler.EndpointName(endpoint)}' in this API");
            }
        }

        return [.. Hosts(api)];
    }

    private IEnumerable<string> Hosts(ApiConfig api)
    {
        for (var i = 0; i < api.Hosts.Count; i++)
        {
            var text = api.Hosts[i];
            if (HostPattern.TryCanonical(text, out var canonical))
            {
                yield return canonical;
            }
            else
            {
                problems.Add(new ConfigProblem(positions.Of(api, "hosts", i), ConfigSeverity.Error, $"'{text}' is no host; write a name without scheme, port and path, or *.example.com"));
            }
        }
    }

    private void Path(object record, string key, string? problem)
    {
        if (problem is not null)
        {
            Problem(record, key, problem);
        }
    }

    private void Access(AccessConfig? access, GatewayConfig config)
    {
        if (access is null)
        {
            return;
        }

        Methods(access, access.Methods);
        for (var i = 0; i < access.Consumers.Count; i++)
        {
            var name = access.Consumers[i];
            if (!config.Consumers.Any(consumer => consumer.Name == name))
            {
                var meant = Suggestion.For(name, config.Consumers.Select(consumer => consumer.Name));
                problems.Add(new ConfigProblem(positions.Of(access, "consumers", i), ConfigSeverity.Error, $"there is no consumer '{name}'" + (meant is null ? "" : $", did you mean '{meant}'?")));
            }
        }
    }

    private void Methods(object record, IReadOnlyList<string> methods) => new MethodChecks(positions, problems).Check(record, methods);

    private void Problem(object record, string? key, string message) => problems.Add(new ConfigProblem(positions.Of(record, key), ConfigSeverity.Error, message));
}
