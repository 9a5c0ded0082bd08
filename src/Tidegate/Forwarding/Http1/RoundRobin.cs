using System.Collections.Concurrent;

namespace Tidegate.Forwarding.Http1;

/// <summary>Destinations in turn. The position is kept by upstream name, so a reload does not start over.</summary>
internal sealed class RoundRobin
{
    private readonly ConcurrentDictionary<string, Position> _positions = new();

    /// <summary>The index of the destination whose turn it is.</summary>
    public int Next(Upstream upstream)
    {
        var position = _positions.GetOrAdd(upstream.Name, static _ => new Position());
        return (int)((uint)Interlocked.Increment(ref position.Last) % (uint)upstream.Destinations.Count);
    }

    private sealed class Position
    {
        public int Last = -1;
    }
}
