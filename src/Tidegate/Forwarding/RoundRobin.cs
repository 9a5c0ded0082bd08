using System.Collections.Concurrent;

namespace Tidegate.Forwarding;

/// <summary>Destinations in turn. The position is kept by upstream name, so a reload does not start over.</summary>
internal sealed class RoundRobin
{
    private readonly ConcurrentDictionary<string, Position> _positions = new();

    public Destination Next(Upstream upstream)
    {
        if (upstream.Destinations.Count == 1)
        {
            return upstream.Destinations[0];
        }

        var position = _positions.GetOrAdd(upstream.Name, static _ => new Position());
        return upstream.Destinations[(int)((uint)Interlocked.Increment(ref position.Last) % (uint)upstream.Destinations.Count)];
    }

    private sealed class Position
    {
        public int Last = -1;
    }
}
