using System.Net;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Policies;
using Tidegate.Routing;

namespace Tidegate.Benchmarks.Operations;

internal static class RoutingOperations
{
    public static IEnumerable<(string Name, Func<Action> Start)> All =>
    [
        ("route: 10 APIs", () => Match(10)),
        ("route: 1,000 APIs", () => Match(1000)),
        ("route: 1,000 paths of one host", MatchPath),
        ("route: 50 endpoints of an API", MatchEndpoint),
        ("route: base path, 1,000 APIs", MatchBasePath),
        ("route: snapshot and plan", Plan),
    ];

    /// <summary>A snapshot in which every API has a plan whose pipeline ends in the given step.</summary>
    public static GatewaySnapshot Snapshot(int apis, IReadOnlyList<IPolicy> policies, ExchangeHandler forward)
    {
        var routes = Apis(apis);
        var upstream = new Upstream { Name = "api", Destinations = [new Destination("http", "127.0.0.1", 80)], Timeouts = UpstreamTimeouts.Default };
        return new GatewaySnapshot
        {
            Version = 1,
            Routes = new RouteTable(routes),
            Plans = [.. routes.Select(route => new RoutePlan { Route = route, Upstream = upstream, Pipeline = new PolicyPipeline(policies, forward) })],
        };
    }

    private static Action Match(int apis)
    {
        var table = new RouteTable(Apis(apis));
        var target = TargetOperations.Of("/orders/v1/items/17", "api7.example.com");
        return () =>
        {
            // As for a target that nobody has asked for: what comes again is remembered.
            target.Routed = default;
            Found(table.Match(Direction.Ingress, "GET", target).Route);
        };
    }

    private static Action MatchPath()
    {
        var table = new RouteTable(Apis(1000).Select(route => route with { Hosts = ["api0.example.com"], PathPrefix = "/" + route.ApiName }));
        var target = TargetOperations.Of("/api500/orders/17");
        return () =>
        {
            // As for a target that nobody has asked for: what comes again is remembered.
            target.Routed = default;
            Found(table.Match(Direction.Ingress, "GET", target).Route);
        };
    }

    private static Action MatchEndpoint()
    {
        var endpoints = Enumerable.Range(0, 50).Select(i => new Route
        {
            Index = i + 1,
            Direction = Direction.Ingress,
            ApiName = "api0",
            EndpointName = $"endpoint{i}",
            Hosts = ["api0.example.com"],
            EndpointPath = $"/v1/resource{i}/{{id}}/parts/*",
            Methods = ["GET", "POST"],
        });
        var table = new RouteTable([.. Apis(1), .. endpoints]);
        var target = TargetOperations.Of("/v1/resource49/17/parts/3");
        return () =>
        {
            target.Routed = default;
            Found(table.Match(Direction.Ingress, "GET", target).Route?.EndpointPath);
        };
    }

    private static Action MatchBasePath()
    {
        var table = new RouteTable(Apis(1000).Select(route => route with { Direction = Direction.Egress, BasePath = "/" + route.ApiName }));
        return () => Found(table.MatchBasePath("GET", "/api7/v1/charges").Route);
    }

    private static Action Plan()
    {
        var snapshots = new SnapshotHolder(Snapshot(1000, [], static _ => default));
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = new DiscardingWriter(), Direction = Direction.Ingress, Method = "GET" };
        exchange.Target = TargetOperations.Of("/orders/v1/items/17", "api7.example.com");
        return () => Found(GatewayHandler.Route(exchange, snapshots.Current));
    }

    private static List<Route> Apis(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new Route { Index = i, Direction = Direction.Ingress, ApiName = $"api{i}", Hosts = [$"api{i}.example.com"] })];

    private static void Found(object? found)
    {
        if (found is null)
        {
            throw new InvalidOperationException("The operation found nothing, so it measures nothing.");
        }
    }
}
