using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Inventory;

/// <summary>A host that was called, or an API of ours, and what it offers as far as traffic showed it. Not thread-safe.</summary>
internal sealed class FoundHost
{
    /// <summary>Paths and methods of one host. What has more has paths that nobody can tell apart.</summary>
    public const int MaxEndpoints = 500;

    private const int MaxApis = 16;

    private readonly List<string> _apis = [];

    public required Direction Direction { get; init; }

    /// <summary>Egress: host, with the port unless it is the scheme's own. Ingress: the API's name, because clients write the host.</summary>
    public required string Host { get; init; }

    public DateTimeOffset FirstSeen { get; set; }

    public DateTimeOffset LastSeen { get; set; }

    public long Calls { get; set; }

    /// <summary>Refused by the gateway.</summary>
    public long Rejected { get; set; }

    /// <summary>Of those that were refused because no API lists the host.</summary>
    public long Denied { get; set; }

    /// <summary>CONNECTs that were carried: what was inside was not seen.</summary>
    public long Tunnels { get; set; }

    /// <summary>APIs of the configuration that it belonged to; empty for a host that none lists.</summary>
    public IReadOnlyList<string> Apis => _apis;

    public PathNode Paths { get; } = new();

    /// <summary>How many are in <see cref="Paths"/>; more than there are after some became one.</summary>
    public int Endpoints { get; private set; }

    /// <summary>Whether it never was anything but refused for its name.</summary>
    public bool IsDenied => Denied == Calls;

    public void Add(in ExchangeRecord record)
    {
        FirstSeen = Calls == 0 || record.Started < FirstSeen ? record.Started : FirstSeen;
        LastSeen = record.Started > LastSeen ? record.Started : LastSeen;
        Calls++;
        Rejected += record.Outcome == Outcome.Rejected ? 1 : 0;
        Denied += ApiInventory.IsDenied(in record) ? 1 : 0;
        Tunnels += record.Method == "CONNECT" && record.Outcome != Outcome.Rejected ? 1 : 0;
        AddApi(record.Api);
    }

    public void AddApi(string api)
    {
        if (api.Length > 0 && _apis.Count < MaxApis && !_apis.Contains(api))
        {
            _apis.Add(api);
        }
    }

    /// <summary>A method of a path, which may be new.</summary>
    public FoundEndpoint? Find(string path, string method, bool mayAdd)
    {
        mayAdd &= Endpoints < MaxEndpoints;
        return Noted(Paths.Find(path, mayAdd)?.Of(MethodName.Of(method), mayAdd));
    }

    /// <summary>The same of what an earlier process knew.</summary>
    public FoundEndpoint? FindSaved(string template, string method) => Endpoints < MaxEndpoints ? Noted(Paths.AddSaved(template).Of(MethodName.Of(method), mayAdd: true)) : null;

    /// <summary>Counts what there is.</summary>
    public void Recount() => Endpoints = Paths.All().Count();

    private FoundEndpoint? Noted(FoundEndpoint? found)
    {
        Endpoints += found is { Calls: 0 } ? 1 : 0;
        return found;
    }
}
