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

    /// <summary>Nothing more can be left out of it: there are a few hundred such keys at most, whatever names were invented.</summary>
    public bool IsCoarsest => Consumer == Other && Coarser() == this;

    /// <summary>Without what there is most of; and if it is without that, without all that has names.</summary>
    public RollupKey Coarser() => Consumer != Other
        ? this with { Endpoint = OtherThan(Endpoint), Consumer = Other, Tenant = OtherThan(Tenant), Destination = OtherThan(Destination) }
        : this with
        {
            Api = OtherThan(Api),
            Endpoint = OtherThan(Endpoint),
            Method = Other,
            Status = Status / 100 * 100,
            Reason = OtherThan(Reason),
            Code = OtherThan(Code),
            Environment = OtherThan(Environment),
            Region = OtherThan(Region),
        };

    // Of what differs most. The whole of names that come from outside, so that nobody can choose many with one hash; of what is configured the ends do.
    public override int GetHashCode()
    {
        var hash = (uint)Status | ((uint)Outcome << 12) | ((uint)Cache << 16) | ((uint)Direction << 24);
        hash = Mix(hash, (uint)Consumer.GetHashCode());
        hash = Mix(hash, Tenant.Length == 0 ? 0 : (uint)Tenant.GetHashCode());
        hash = Mix(hash, Ends(Api));
        hash = Mix(hash, Endpoint.Length == 0 ? 0 : (uint)Endpoint.GetHashCode());
        hash = Mix(hash, Ends(Method));
        return (int)Mix(hash, Ends(Destination) ^ Ends(Code));
    }

    private static uint Mix(uint hash, uint with) => (System.Numerics.BitOperations.RotateLeft(hash, 5) ^ with) * 0x9E3779B1;

    private static uint Ends(string text) => text.Length == 0 ? 0 : (uint)text.Length | ((uint)text[0] << 8) | ((uint)text[^1] << 16) | ((uint)text[text.Length / 2] << 24);

    private static string OtherThan(string name) => name.Length == 0 ? "" : Other;

    // Clients invent methods.
    private static string MethodOf(string method) => MethodName.IsKnown(method) ? method : Other;
}
