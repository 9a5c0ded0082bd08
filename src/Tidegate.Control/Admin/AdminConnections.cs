using System.Net;
using Microsoft.AspNetCore.Connections;
using Tidegate.Edge;

namespace Tidegate.Control.Admin;

/// <summary>
/// Keeps places free: an orchestrator ends a gateway whose probes do not come through, so no address may hold all connections. On loopback everybody has one address, and is trusted with
/// it.
/// </summary>
internal sealed class AdminConnections(int maxPerAddress)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<IPAddress, int> _open = [];

    public ConnectionDelegate Count(ConnectionDelegate next) => async connection =>
    {
        var address = (connection.RemoteEndPoint as IPEndPoint)?.Address ?? IPAddress.None;
        if (!TryEnter(address))
        {
            connection.Abort(new ConnectionAbortedException("Too many connections of one address."));
            return;
        }

        try
        {
            await next(connection);
        }
        finally
        {
            Leave(address);
        }
    };

    public bool TryEnter(IPAddress address)
    {
        if (IPAddress.IsLoopback(address))
        {
            return true;
        }

        var network = PeerAddress.NetworkOf(address);
        lock (_gate)
        {
            var open = _open.GetValueOrDefault(network);
            if (open >= maxPerAddress)
            {
                return false;
            }

            _open[network] = open + 1;
            return true;
        }
    }

    public void Leave(IPAddress address)
    {
        var network = PeerAddress.NetworkOf(address);
        lock (_gate)
        {
            if (_open.TryGetValue(network, out var open))
            {
                if (open == 1)
                {
                    _open.Remove(network);
                }
                else
                {
                    _open[network] = open - 1;
                }
            }
        }
    }
}
