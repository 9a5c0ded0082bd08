using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Inventory;

/// <summary>
/// Where the records went that were added last. Calls of one target share its strings, so that references tell what would else take a walk through the tree of its path. Not thread-safe.
/// </summary>
internal sealed class InventoryMemory
{
    // Targets that are busy at one moment.
    private const int Places = 64;

    private readonly Place[] _places = new Place[Places];

    /// <summary>The host and endpoint of a call like one before; false when it is not remembered, was refused, or became another's.</summary>
    public bool Find(in ExchangeRecord record, out (FoundHost Host, FoundEndpoint Endpoint) found)
    {
        ref readonly var place = ref _places[PlaceOf(in record)];
        found = (place.Host, place.Endpoint)!;
        return ReferenceEquals(place.Path, record.Path)
            && ReferenceEquals(place.Method, record.Method)
            && ReferenceEquals(place.Api, record.Api)
            && ReferenceEquals(place.Name, record.Host)
            && place.Port == record.Port
            && place.Direction == record.Direction
            && record.Outcome != Outcome.Rejected
            && place.Endpoint is { IsMerged: false };
    }

    public void Keep(in ExchangeRecord record, FoundHost host, FoundEndpoint endpoint) =>
        _places[PlaceOf(in record)] = new Place { Path = record.Path, Method = record.Method, Api = record.Api, Name = record.Host, Port = record.Port, Direction = record.Direction, Host = host, Endpoint = endpoint };

    private static int PlaceOf(in ExchangeRecord record) => RuntimeHelpers.GetHashCode(record.Path) & (Places - 1);

    private struct Place
    {
        public string? Path;
        public string? Method;
        public string? Api;
        public string? Name;
        public int Port;
        public Direction Direction;
        public FoundHost? Host;
        public FoundEndpoint? Endpoint;
    }
}
