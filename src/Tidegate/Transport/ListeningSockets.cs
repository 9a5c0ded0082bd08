using System.Net;
using Microsoft.AspNetCore.Connections;

namespace Tidegate.Transport;

/// <summary>Opens the sockets of one listener.</summary>
internal static unsafe class ListeningSockets
{
    // What may come while a reactor is in a long turn; the kernel caps it at net.core.somaxconn.
    private const int Backlog = 4096;

    /// <summary>Binds so many sockets to one address.</summary>
    /// <param name="address">Port 0 lets the system choose one port for all.</param>
    /// <param name="count">At least 1.</param>
    /// <param name="local">The address with its port.</param>
    /// <exception cref="AddressInUseException">Somebody listens there, another process that shares its port included.</exception>
    public static int[] Open(IPEndPoint address, int count, out IPEndPoint local)
    {
        var descriptors = new List<int>(count);
        try
        {
            // The first binds alone: sharing from the start would also share with a second gateway on the same port, which is a mistake that must be seen.
            descriptors.Add(Bind(address, shares: false));
            Check(Libc.ReusePort(descriptors[0]));
            local = SocketAddressBytes.OfSocket(descriptors[0]);
            for (var i = 1; i < count; i++)
            {
                descriptors.Add(Bind(local, shares: true));
            }

            foreach (var descriptor in descriptors)
            {
                Check(Libc.Listen(descriptor, Backlog));
            }

            return [.. descriptors];
        }
        catch
        {
            foreach (var descriptor in descriptors)
            {
                _ = Libc.Close(descriptor);
            }

            throw;
        }
    }

    private static int Bind(IPEndPoint address, bool shares)
    {
        var descriptor = Check(Libc.Socket(SocketAddressBytes.Family(address)));
        try
        {
            // Connections of an earlier process that linger in TIME_WAIT are no reason not to start.
            Check(Libc.ReuseAddress(descriptor));

            // Accepted sockets inherit it.
            Check(Libc.NoDelay(descriptor));
            _ = Libc.MaxNotSent(descriptor, SocketLimits.MaxNotSentBytes);
            if (shares)
            {
                Check(Libc.ReusePort(descriptor));
            }

            if (SocketAddressBytes.Family(address) == Libc.AddressFamilyIPv6)
            {
                // As Kestrel does on its own transport: [::] is every address of both families, every other address is itself.
                Check(Libc.IPv6Only(descriptor, only: !address.Address.Equals(IPAddress.IPv6Any)));
            }

            var bytes = stackalloc byte[SocketAddressBytes.MaxLength];
            var length = SocketAddressBytes.Write(address, new Span<byte>(bytes, SocketAddressBytes.MaxLength));
            Check(Libc.Bind(descriptor, bytes, length));
            return descriptor;
        }
        catch
        {
            _ = Libc.Close(descriptor);
            throw;
        }
    }

    private static int Check(int result)
    {
        if (result >= 0)
        {
            return result;
        }

        var error = Errno.ToException(-result);
        throw result == -Errno.AddressInUse ? new AddressInUseException(error.Message, error) : error;
    }
}
