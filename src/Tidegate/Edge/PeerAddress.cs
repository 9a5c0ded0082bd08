using System.Net;

namespace Tidegate.Edge;

/// <summary>The address of a connection's other end, one for one client however it came.</summary>
internal static class PeerAddress
{
    /// <summary>A socket for both families shows an IPv4 client as ::ffff:192.0.2.1: that is 192.0.2.1.</summary>
    public static IPEndPoint Of(EndPoint? remote) => remote switch
    {
        IPEndPoint { Address.IsIPv4MappedToIPv6: true } mapped => new IPEndPoint(mapped.Address.MapToIPv4(), mapped.Port),
        IPEndPoint plain => plain,
        _ => new IPEndPoint(IPAddress.None, 0),
    };
}
