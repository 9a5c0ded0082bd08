using Tidegate.Exchanges;

namespace Tidegate.Routing;

/// <summary>
/// The route of one target, kept from its second request on: targets that come again are one object, and most never do. Any two are equal, because it is a cache and no part of what
/// carries it.
/// </summary>
internal struct RouteMemory : IEquatable<RouteMemory>
{
    private volatile Memory? _memory;
    private bool _wasAsked;

    /// <summary>The match that a table gave for the same method; false when none is kept.</summary>
    public readonly bool TryGet(RouteTable table, Direction direction, string method, out RouteMatch match)
    {
        var memory = _memory;
        var isKept = memory is not null && ReferenceEquals(memory.Table, table) && ReferenceEquals(memory.Method, method) && memory.Direction == direction;
        match = isKept ? memory!.Match : default;
        return isKept;
    }

    /// <summary>Keeps a match. One object, so that who reads at the same time finds all of it or nothing.</summary>
    public void Keep(RouteTable table, Direction direction, string method, RouteMatch match)
    {
        if (_wasAsked)
        {
            _memory = new Memory(table, direction, method, match);
        }

        _wasAsked = true;
    }

    /// <inheritdoc/>
    public readonly bool Equals(RouteMemory other) => true;

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is RouteMemory;

    /// <inheritdoc/>
    public override readonly int GetHashCode() => 0;

    private sealed record Memory(RouteTable Table, Direction Direction, string Method, RouteMatch Match);
}
