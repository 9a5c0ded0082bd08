using System.Buffers.Binary;
using System.Text;

namespace Tidegate.Fuzz.Targets;

/// <summary>Builds ClientHellos (RFC 8446 4.1.2), good ones and those that no library would send.</summary>
internal static class ClientHelloBytes
{
    /// <summary>A whole one, in records.</summary>
    /// <param name="names">An extension for each; empty for none.</param>
    /// <param name="recordBytes">The most that one record carries.</param>
    public static byte[] Build(IReadOnlyList<string> names, int recordBytes = 16_384) => BuildWith([.. names.Select(ServerName)], recordBytes);

    /// <summary>A whole one with these extensions between two others.</summary>
    public static byte[] BuildWith(IReadOnlyList<byte[]> extensions, int recordBytes = 16_384)
    {
        byte[] all = [.. Extension(10, [0, 2, 0, 29]), .. extensions.SelectMany(extension => extension), .. Extension(43, [2, 3, 4])];
        byte[] body = [3, 3, .. Enumerable.Repeat((byte)7, 32), 4, 1, 2, 3, 4, 0, 4, 19, 1, 19, 2, 1, 0, .. Vector(all)];
        byte[] message = [1, 0, .. Vector(body)];
        return [.. message.Chunk(recordBytes).SelectMany(part => (byte[])[22, 3, 1, .. Vector(part)])];
    }

    /// <summary>A server_name extension with one name.</summary>
    public static byte[] ServerName(string name) => Extension(0, Vector([0, .. Vector(Encoding.Latin1.GetBytes(name))]));

    /// <summary>Any extension.</summary>
    public static byte[] Extension(ushort type, byte[] content) => [(byte)(type >> 8), (byte)type, .. Vector(content)];

    /// <summary>Two bytes of length, then the content.</summary>
    public static byte[] Vector(byte[] content)
    {
        var length = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(length, checked((ushort)content.Length));
        return [.. length, .. content];
    }
}
