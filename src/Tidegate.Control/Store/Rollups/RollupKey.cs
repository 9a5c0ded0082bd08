using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Rollups;

/// <summary>What exchanges of one kind have in common: the questions that a series can be grouped and filtered by.</summary>
internal readonly record struct RollupKey(
    Direction Direction,
    string Api,
    string Endpoint,
    string Method,
    int Status,
    Outcome Outcome,
    string Reason,
    string Code,
    string Consumer,
    string Tenant,
    string Environment,
    string Destination,
    string Region,
    CacheResult Cache)
{
    /// <summary>What stands for names that were too many.</summary>
    public const string Other = "(other)";

    public static RollupKey Of(in ExchangeRecord record) => new(
        record.Direction, record.Api, record.Endpoint, MethodOf(record.Method), record.Status, record.Outcome, record.Reason, record.Code,
        record.Consumer.Name, record.Consumer.Tenant, record.Consumer.Environment, record.Destination, record.Region, record.Cache);

    /// <summary>Without what there is most of.</summary>
    public RollupKey Coarser() => this with { Endpoint = Endpoint.Length == 0 ? "" : Other, Consumer = Other, Tenant = Tenant.Length == 0 ? "" : Other, Destination = Destination.Length == 0 ? "" : Other };

    // Clients invent methods.
    private static string MethodOf(string method) => method is "GET" or "HEAD" or "POST" or "PUT" or "DELETE" or "CONNECT" or "OPTIONS" or "TRACE" or "PATCH" or "QUERY" ? method : Other;
}
