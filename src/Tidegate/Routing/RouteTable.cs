using Tidegate.Exchanges;

namespace Tidegate.Routing;

/// <summary>
/// Finds the route of a request. Hosts through a frozen dictionary (exact first, then the longest wildcard), then the longest path
/// prefix on whole segments, then the most specific endpoint: literal before parameter before rest, a listed method before any.
/// </summary>
public sealed class RouteTable
{
    /// <summary>Builds the table; the order of <paramref name="routes"/> does not matter.</summary>
    public RouteTable(IEnumerable<Route> routes) => throw new NotSupportedException(routes.ToString());

    /// <summary>By host and path (both directions, absolute-form, CONNECT and ingress). CONNECT has an empty path: only the API is found.</summary>
    public RouteMatch Match(Direction direction, string method, ExchangeTarget target) => throw new NotSupportedException(target.ToString() + direction + method);

    /// <summary>Egress, origin-form: by the API's base path on the gateway's own address.</summary>
    public RouteMatch MatchBasePath(string method, string path) => throw new NotSupportedException(method + path);
}
