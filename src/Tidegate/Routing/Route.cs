using Tidegate.Exchanges;

namespace Tidegate.Routing;

/// <summary>What a request must look like to belong to an API, or to one endpoint of it.</summary>
public sealed record Route
{
    /// <summary>Position in the snapshot's list of plans.</summary>
    public required int Index { get; init; }

    /// <summary>The edge that the API is on.</summary>
    public required Direction Direction { get; init; }

    /// <summary>The API's name.</summary>
    public required string ApiName { get; init; }

    /// <summary>The endpoint's name; empty for the API itself.</summary>
    public string EndpointName { get; init; } = "";

    /// <summary>Exact names, or <c>*.example.com</c> for any number of further labels; empty matches every host (ingress only).</summary>
    public required IReadOnlyList<string> Hosts { get; init; }

    /// <summary>The API's path prefix, whole segments; <c>/</c> matches everything.</summary>
    public string PathPrefix { get; init; } = "/";

    /// <summary>The endpoint's path, below the API's prefix: literal segments, <c>*</c> or <c>{name}</c> for one, a final <c>**</c> or <c>*</c> for the rest; null for the API itself.</summary>
    public string? EndpointPath { get; init; }

    /// <summary>Methods of the endpoint; empty matches every method.</summary>
    public IReadOnlyList<string> Methods { get; init; } = [];

    /// <summary>Egress: the prefix on the gateway's own address, for example <c>/stripe</c>; null when the API has none.</summary>
    public string? BasePath { get; init; }
}
