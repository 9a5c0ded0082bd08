using Microsoft.AspNetCore.Connections;
using Tidegate.Transport;

namespace Tidegate.Forwarding.Connecting;

/// <summary>
/// Where TCP connections come from, and which of them belong together: a connection that a reactor made is used by exchanges on that reactor only, so that nothing
/// changes threads.
/// </summary>
/// <param name="sockets">Opens connections.</param>
/// <param name="partitions">How many groups of connections there are.</param>
/// <param name="currentPartition">The group of the running thread, from 0.</param>
internal sealed class ConnectionSource(IConnectionFactory sockets, int partitions = 1, Func<int>? currentPartition = null)
{
    private Func<int>? _currentPartition = currentPartition;

    /// <summary>Opens connections.</summary>
    public IConnectionFactory Sockets { get; private set; } = sockets;

    /// <summary>How many groups of connections there are.</summary>
    public int Partitions { get; private set; } = partitions;

    /// <summary>The group of the running thread, from 0.</summary>
    public int CurrentPartition => _currentPartition is null ? 0 : _currentPartition();

    /// <summary>Connections of reactors: a group for each, and one for what runs elsewhere.</summary>
    public void Use(ReactorTransport reactors)
    {
        var elsewhere = reactors.Reactors.Count;
        Sockets = reactors;
        Partitions = elsewhere + 1;
        _currentPartition = () => Reactor.CurrentIndex is >= 0 and var index ? index : elsewhere;
    }
}
