using System.Collections.Concurrent;
using System.Net;

namespace Tidegate.Edge;

/// <summary>Counts one listener's open connections, in all and by client address (of IPv6 its /64), and refuses what is over a limit.</summary>
internal sealed class ConnectionCounter
{
    private readonly ConcurrentDictionary<IPAddress, int> _byAddress = new();
    private int _open;
    private long _refused;

    /// <summary>Connections open now.</summary>
    public int Open => Volatile.Read(ref _open);

    /// <summary>Connections that were closed at once because a limit was reached.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Takes a place; give it back with <see cref="Leave"/>. False, and nothing to give back, when there is none.</summary>
    public bool TryEnter(IPAddress address, EdgeLimits limits)
    {
        var open = Interlocked.Increment(ref _open);
        var ofAddress = _byAddress.AddOrUpdate(PeerAddress.NetworkOf(address), 1, static (_, count) => count + 1);
        if (open <= limits.MaxConnections && ofAddress <= limits.MaxConnectionsPerAddress)
        {
            return true;
        }

        Leave(address);
        Interlocked.Increment(ref _refused);
        return false;
    }

    public void Leave(IPAddress address)
    {
        Interlocked.Decrement(ref _open);
        var network = PeerAddress.NetworkOf(address);
        if (_byAddress.AddOrUpdate(network, 0, static (_, count) => count - 1) == 0)
        {
            // Only the pair with the count 0 is removed: a connection that came in between keeps its place.
            _byAddress.TryRemove(new KeyValuePair<IPAddress, int>(network, 0));
        }
    }
}
