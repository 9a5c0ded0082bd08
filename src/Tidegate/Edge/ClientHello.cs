using System.Buffers.Binary;
using System.Text;

namespace Tidegate.Edge;

/// <summary>What the first bytes of a tunnel are.</summary>
internal enum ClientHelloState
{
    Incomplete,

    /// <summary>A whole ClientHello; its name may be absent.</summary>
    Complete,

    NotTls,
}

/// <summary>Reads the server name out of a TLS ClientHello (RFC 8446 4.1.2, RFC 6066 3), which may be cut into several records.</summary>
internal static class ClientHello
{
    /// <summary>More than any real ClientHello, those with post-quantum key shares included.</summary>
    public const int MaxBytes = 16 * 1024;

    /// <summary>Looks at everything received so far. Once it is complete, nothing that follows changes what it is: early data may come with it or after it.</summary>
    public static ClientHelloState Read(ReadOnlySpan<byte> received, out string? serverName)
    {
        serverName = null;
        Span<byte> message = new byte[received.Length];
        var length = 0;
        while (!received.IsEmpty)
        {
            // Record: type 22 (handshake), version 3.x, length.
            if (received[0] != 22 || (received.Length > 1 && received[1] != 3))
            {
                return ClientHelloState.NotTls;
            }

            if (received.Length < 5)
            {
                return ClientHelloState.Incomplete;
            }

            int record = BinaryPrimitives.ReadUInt16BigEndian(received[3..]);
            if (record == 0 || record > MaxBytes)
            {
                return ClientHelloState.NotTls;
            }

            var part = received.Slice(5, Math.Min(record, received.Length - 5));
            part.CopyTo(message[length..]);
            length += part.Length;
            received = received[(5 + part.Length)..];
            if (length > 0 && message[0] != 1)
            {
                return ClientHelloState.NotTls;
            }

            if (length < 4)
            {
                continue;
            }

            var bodyLength = (message[1] << 16) | (message[2] << 8) | message[3];
            if (bodyLength > MaxBytes)
            {
                return ClientHelloState.NotTls;
            }

            if (length - 4 >= bodyLength)
            {
                var isWhole = TryReadName(message.Slice(4, bodyLength), out var name);
                serverName = isWhole ? name : null;
                return isWhole ? ClientHelloState.Complete : ClientHelloState.NotTls;
            }
        }

        return ClientHelloState.Incomplete;
    }

    private static bool TryReadName(ReadOnlySpan<byte> hello, out string? name)
    {
        name = null;

        // Version and random, then session id, cipher suites and compression methods, each with its length.
        if (!Skip(ref hello, 34) || !SkipVector(ref hello, 1) || !SkipVector(ref hello, 2) || !SkipVector(ref hello, 1))
        {
            return false;
        }

        if (hello.IsEmpty)
        {
            return true;
        }

        if (!TryVector(ref hello, 2, out var extensions) || !hello.IsEmpty)
        {
            return false;
        }

        while (!extensions.IsEmpty)
        {
            if (extensions.Length < 4)
            {
                return false;
            }

            var type = BinaryPrimitives.ReadUInt16BigEndian(extensions);
            extensions = extensions[2..];
            if (!TryVector(ref extensions, 2, out var content))
            {
                return false;
            }

            // A second one (RFC 8446 4.2 forbids it) could be what the server goes by, and not what we compare.
            if (type == 0 && (name is not null || (name = ServerName(content)) is null))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>RFC 6066 3: a list with one entry, of type host_name: no other type exists, and no type may come twice.</summary>
    private static string? ServerName(ReadOnlySpan<byte> extension)
    {
        if (!TryVector(ref extension, 2, out var names) || !extension.IsEmpty || names.IsEmpty || names[0] != 0 || !Skip(ref names, 1) || !TryVector(ref names, 2, out var host) || !names.IsEmpty || !Ascii.IsValid(host))
        {
            return null;
        }

        var name = Encoding.ASCII.GetString(host).ToLowerInvariant();
        return name.EndsWith('.') ? name[..^1] : name;
    }

    private static bool Skip(ref ReadOnlySpan<byte> bytes, int count)
    {
        if (bytes.Length < count)
        {
            return false;
        }

        bytes = bytes[count..];
        return true;
    }

    private static bool SkipVector(ref ReadOnlySpan<byte> bytes, int lengthBytes) => TryVector(ref bytes, lengthBytes, out _);

    private static bool TryVector(ref ReadOnlySpan<byte> bytes, int lengthBytes, out ReadOnlySpan<byte> content)
    {
        content = default;
        if (bytes.Length < lengthBytes)
        {
            return false;
        }

        int length = lengthBytes == 1 ? bytes[0] : BinaryPrimitives.ReadUInt16BigEndian(bytes);
        if (bytes.Length - lengthBytes < length)
        {
            return false;
        }

        content = bytes.Slice(lengthBytes, length);
        bytes = bytes[(lengthBytes + length)..];
        return true;
    }
}
