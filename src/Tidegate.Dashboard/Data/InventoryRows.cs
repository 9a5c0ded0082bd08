using Tidegate.Control;
using Tidegate.Control.Inventory;
using Tidegate.Recording;

namespace Tidegate.Dashboard.Data;

/// <summary>A host that was found, or an API of ours.</summary>
public sealed record HostRow(string Direction, string Host, IReadOnlyList<string> Apis, int Endpoints, long Calls, long Rejected, long Tunnels, DateTimeOffset FirstSeen, DateTimeOffset LastSeen, bool IsDenied)
{
    internal static HostRow Of(FoundHost host) => new(ExchangeWords.Of(host.Direction), host.Host, [.. host.Apis], host.Paths.All().Count(), host.Calls, host.Rejected, host.Tunnels, host.FirstSeen, host.LastSeen, host.IsDenied);

    /// <summary>All of them.</summary>
    internal static IReadOnlyList<HostRow> All(DashboardSources sources)
    {
        var rows = new List<HostRow>();
        sources.Inventory.Read(host => rows.Add(Of(host)));
        return rows;
    }
}

/// <summary>A method of a path of a host.</summary>
public sealed record EndpointRow(string Method, string Path, string Version, string Api, string Endpoint, long Calls, long Errors, long ClientErrors, string Auth, string Callers, DateTimeOffset FirstSeen, DateTimeOffset LastSeen)
{
    internal static EndpointRow Of(string path, FoundEndpoint endpoint) => new(
        endpoint.Method,
        path,
        InventoryJson.VersionOf(path),
        endpoint.Api,
        endpoint.Endpoint,
        endpoint.Calls,
        endpoint.Errors,
        endpoint.ClientErrors,
        string.Join(", ", InventoryJson.AuthOf(endpoint)),
        string.Join(", ", endpoint.Callers) + (endpoint.HasMoreCallers ? " and more" : ""),
        endpoint.FirstSeen,
        endpoint.LastSeen);

    /// <summary>One host's, with the host; null when it is not known.</summary>
    internal static (HostRow Host, IReadOnlyList<EndpointRow> Endpoints)? All(DashboardSources sources, string direction, string name)
    {
        (HostRow, IReadOnlyList<EndpointRow>)? found = null;
        sources.Inventory.Read(host =>
        {
            if (host.Host == name && ExchangeWords.Of(host.Direction) == direction)
            {
                found = (HostRow.Of(host), [.. host.Paths.All().Select(endpoint => Of(endpoint.Path, endpoint.Endpoint))]);
            }
        });
        return found;
    }
}
