using System.Net;
using System.Net.Sockets;

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

    /// <summary>
    /// Whose places, or wrong passwords, are counted together: an IPv6 subscriber has at least a /64 of its own (RFC 6177), and whole addresses would give it as many counts as it likes.
    /// </summary>
    public static IPAddress NetworkOf(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
        {
            return address.MapToIPv4();
        }

        if (address.AddressFamily != AddressFamily.InterNetworkV6 || IPAddress.IsLoopback(address))
        {
            return address;
        }

        const int AddressBytes = 16;
        const int NetworkBytes = 8;
        Span<byte> bytes = stackalloc byte[AddressBytes];
        address.TryWriteBytes(bytes, out _);
        bytes[NetworkBytes..].Clear();
        return new IPAddress(bytes);
    }
}
