using Tidegate.Exchanges;
using Tidegate.Routing;

namespace Tidegate.Configuration.Comparison;

/// <summary>
/// Asks both route tables the same questions, one for each host, path, endpoint and base path that either file names. The keys alone
/// do not show that a new API takes another one's requests.
/// </summary>
internal static class RouteComparison
{
    /// <summary>One line for each request that another API or endpoint will answer; what already follows from an API that came is left out.</summary>
    public static IReadOnlyList<string> Compare(GatewaySnapshot old, GatewaySnapshot @new)
    {
        var lines = new List<string>();
        var known = old.Plans.Select(plan => plan.Route.ApiName).ToHashSet();
        foreach (var question in old.Plans.Concat(@new.Plans).SelectMany(plan => Questions(plan.Route)).Distinct())
        {
            var (before, after) = (Answer(question, old), Answer(question, @new));
            var isNew = before is null && after is not null && !known.Contains(after.ApiName);
            if (!isNew && (before?.ApiName, before?.EndpointName) != (after?.ApiName, after?.EndpointName))
            {
                lines.Add($"{question}: {Name(before, question, old)} → {Name(after, question, @new)}");
            }
        }

        return lines;
    }

    private static IEnumerable<Question> Questions(Route route)
    {
        var path = route.EndpointPath is null ? Sample(route.PathPrefix) : route.PathPrefix.TrimEnd('/') + Sample(route.EndpointPath);
        var method = route.Methods.Count == 0 ? "GET" : route.Methods[0];
        foreach (var host in route.Hosts.Count == 0 ? ["any.example"] : route.Hosts)
        {
            yield return new Question(route.Direction, method, host.Replace("*", "any", StringComparison.Ordinal), path);
        }

        if (route is { BasePath: { } basePath, EndpointPath: null })
        {
            yield return new Question(route.Direction, method, "", basePath.TrimEnd('/') + "/");
        }
    }

    /// <summary>A path that the pattern matches.</summary>
    private static string Sample(string pattern) =>
        string.Join('/', pattern.Split('/').Select(segment => segment is "*" or "**" || (segment.StartsWith('{') && segment.EndsWith('}')) ? "any" : segment));

    private static Route? Answer(Question question, GatewaySnapshot snapshot) => question.Host.Length == 0
        ? snapshot.Routes.MatchBasePath(question.Method, question.Path).Route
        : snapshot.Routes.Match(question.Direction, question.Method, new ExchangeTarget("https", question.Host, 443, question.Path, null)).Route;

    private static string Name(Route? route, Question question, GatewaySnapshot snapshot) =>
        route is { EndpointName.Length: > 0 } ? $"{route.ApiName}, endpoint {route.EndpointName}"
        : route is not null ? route.ApiName
        : question.Host.Length == 0 ? "404 no_base_path"
        : question.Direction == Direction.Ingress ? "404 no_route"
        : snapshot.Unlisted is null ? "403 host_not_listed"
        : "passes as an unlisted host";

    /// <summary>A request that a file speaks of. An empty host is a base-URL call.</summary>
    private sealed record Question(Direction Direction, string Method, string Host, string Path)
    {
        public override string ToString() => Host.Length == 0 ? $"{Method} {Path} (base URL)" : Direction == Direction.Egress ? $"{Method} https://{Host}{Path}" : $"{Method} {Host}{Path} (ingress)";
    }
}
