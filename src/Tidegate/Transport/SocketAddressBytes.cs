using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Tidegate.Transport;

/// <summary>struct sockaddr_in and sockaddr_in6 from and to end points.</summary>
internal static class SocketAddressBytes
{
    public const int MaxLength = 28;

    private const int IPv4Length = 16;

    public static int Family(IPEndPoint endPoint) => endPoint.AddressFamily == AddressFamily.InterNetwork ? Libc.AddressFamilyIPv4 : Libc.AddressFamilyIPv6;

    /// <returns>The length in bytes.</returns>
    public static int Write(IPEndPoint endPoint, Span<byte> into)
    {
        into.Clear();
        var family = (ushort)Family(endPoint);
        MemoryMarshal.Write(into, in family);
        BinaryPrimitives.WriteUInt16BigEndian(into[2..], (ushort)endPoint.Port);
        if (family == Libc.AddressFamilyIPv4)
        {
            endPoint.Address.TryWriteBytes(into[4..], out _);
            return IPv4Length;
        }

        endPoint.Address.TryWriteBytes(into[8..], out _);
        var scope = (uint)endPoint.Address.ScopeId;
        MemoryMarshal.Write(into[24..], in scope);
        return MaxLength;
    }

    public static IPEndPoint Read(ReadOnlySpan<byte> bytes)
    {
        var port = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        return MemoryMarshal.Read<ushort>(bytes) == Libc.AddressFamilyIPv4
            ? new IPEndPoint(new IPAddress(bytes.Slice(4, 4)), port)
            : new IPEndPoint(new IPAddress(bytes.Slice(8, 16), MemoryMarshal.Read<uint>(bytes[24..])), port);
    }

    /// <summary>The address that a socket is bound to.</summary>
    public static unsafe IPEndPoint OfSocket(int descriptor)
    {
        var bytes = stackalloc byte[MaxLength];
        var length = MaxLength;
        var result = Libc.LocalName(descriptor, bytes, &length);
        return result < 0 ? throw Errno.ToException(-result) : Read(new ReadOnlySpan<byte>(bytes, MaxLength));
    }
}
