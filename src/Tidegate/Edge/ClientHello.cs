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

    /// <summary>Looks at everything received so far.</summary>
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
                break;
            }

            int record = BinaryPrimitives.ReadUInt16BigEndian(received[3..]);
            var part = received.Slice(5, Math.Min(record, received.Length - 5));
            part.CopyTo(message[length..]);
            length += part.Length;
            received = received[(5 + part.Length)..];
            if (record == 0 || record > MaxBytes)
            {
                return ClientHelloState.NotTls;
            }
        }

        if (length > 0 && message[0] != 1)
        {
            return ClientHelloState.NotTls;
        }

        var bodyLength = length < 4 ? int.MaxValue : (message[1] << 16) | (message[2] << 8) | message[3];
        if (bodyLength > MaxBytes && bodyLength != int.MaxValue)
        {
            return ClientHelloState.NotTls;
        }

        return length < 4 || length - 4 < bodyLength ? ClientHelloState.Incomplete
            : TryReadName(message.Slice(4, bodyLength), out serverName) ? ClientHelloState.Complete : ClientHelloState.NotTls;
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

        if (!TryVector(ref hello, 2, out var extensions))
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

            // server_name: a list of which only the first entry, of type host_name, has ever been used.
            if (type == 0 && (!TryVector(ref content, 2, out var names) || names.Length < 3 || names[0] != 0 || !Skip(ref names, 1) || !TryVector(ref names, 2, out var host) || (name = Text(host)) is null))
            {
                return false;
            }
        }

        return true;
    }

    private static string? Text(ReadOnlySpan<byte> host) => Ascii.IsValid(host) ? Encoding.ASCII.GetString(host).TrimEnd('.').ToLowerInvariant() : null;

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
