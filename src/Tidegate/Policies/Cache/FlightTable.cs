using System.Collections.Concurrent;

namespace Tidegate.Policies.Cache;

/// <summary>Who is asking an upstream for what, so that others who want the same wait for that answer.</summary>
internal sealed class FlightTable
{
    private readonly ConcurrentDictionary<UInt128, Flight> _flights = new();

    /// <summary>How many there are: never more than exchanges in flight.</summary>
    public int Count => _flights.Count;

    /// <summary>Takes a seat in the flight for a key; null when there is none that can be joined.</summary>
    public FlightSeat? TryJoin(UInt128 key) => _flights.TryGetValue(key, out var flight) ? flight.TryTakeSeat() : null;

    /// <summary>Whether somebody asks.</summary>
    public bool Contains(UInt128 key) => _flights.ContainsKey(key);

    /// <summary>Lets others join; false when somebody else was first.</summary>
    public bool TryAdd(Flight flight) => _flights.TryAdd(flight.Key, flight);

    public void Remove(Flight flight) => _flights.TryRemove(new KeyValuePair<UInt128, Flight>(flight.Key, flight));
}
