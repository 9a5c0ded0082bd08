using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;

namespace Tidegate.Forwarding.Connecting;

/// <summary>Opens TCP connections on the framework's sockets.</summary>
internal sealed class SocketConnectionFactory : IConnectionFactory
{
    /// <exception cref="SocketException">Nobody answers there.</exception>
    public async ValueTask<ConnectionContext> ConnectAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        // Requests are written whole: waiting for more to fill a packet only delays them.
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(endpoint, cancellationToken);
            return new SocketConnection(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
