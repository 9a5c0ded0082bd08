using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tidegate.Testing;

/// <summary>Just enough HTTP/2 to send one request whose fields no library would send.</summary>
public static class RawHttp2
{
    private const byte Data = 0;
    private const byte Headers = 1;
    private const byte ResetStream = 3;
    private const byte Settings = 4;
    private const byte GoAway = 7;
    private const byte EndStream = 1;

    /// <summary>Sends one GET on a new cleartext connection with prior knowledge, and reads the answer to its end: who leaves before is a client that went away.</summary>
    /// <returns>The status, or <c>RST_STREAM</c>, <c>GOAWAY</c> or <c>closed</c>.</returns>
    public static async Task<string> GetAsync(IPEndPoint gateway, string path, IReadOnlyList<(string Name, string Value)> fields, CancellationToken cancellationToken)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(gateway, cancellationToken);
        var stream = client.GetStream();
        var head = new MemoryStream();
        foreach (var (name, value) in (IEnumerable<(string, string)>)[(":method", "GET"), (":scheme", "http"), (":authority", gateway.ToString()), (":path", path), .. fields])
        {
            // RFC 7541 6.2.2: literal without indexing, new name, no Huffman coding.
            head.WriteByte(0);
            WriteString(head, name);
            WriteString(head, value);
        }

        await stream.WriteAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray(), cancellationToken);
        await WriteFrameAsync(stream, Settings, 0, 0, [], cancellationToken);
        await WriteFrameAsync(stream, Headers, 0x5, 1, head.ToArray(), cancellationToken);
        var frame = new byte[9];
        string? status = null;
        while (true)
        {
            try
            {
                await stream.ReadExactlyAsync(frame, cancellationToken);
            }
            catch (EndOfStreamException)
            {
                return "closed";
            }

            var payload = new byte[(frame[0] << 16) | (frame[1] << 8) | frame[2]];
            await stream.ReadExactlyAsync(payload, cancellationToken);
            switch (frame[3])
            {
                case Headers when status is null:
                    status = Status(payload);
                    break;
                case ResetStream:
                    return "RST_STREAM";
                case GoAway:
                    return "GOAWAY";
                case Settings when frame[4] == 0:
                    await WriteFrameAsync(stream, Settings, 1, 0, [], cancellationToken);
                    break;
                case Data when status is null:
                    return "data before headers";
            }

            if (status is not null && frame[3] is Headers or Data && (frame[4] & EndStream) != 0)
            {
                return status;
            }
        }
    }

    private static void WriteString(Stream into, string text)
    {
        into.WriteByte((byte)text.Length);
        into.Write(Encoding.Latin1.GetBytes(text));
    }

    private static async Task WriteFrameAsync(Stream stream, byte type, byte flags, int streamId, byte[] payload, CancellationToken cancellationToken)
    {
        var frame = new byte[9 + payload.Length];
        frame[0] = (byte)(payload.Length >> 16);
        frame[1] = (byte)(payload.Length >> 8);
        frame[2] = (byte)payload.Length;
        frame[3] = type;
        frame[4] = flags;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), streamId);
        payload.CopyTo(frame, 9);
        await stream.WriteAsync(frame, cancellationToken);
    }

    /// <summary>RFC 7541 appendix A: 8 to 14 are :status 200 to 500; others come as a literal with the name of one of these.</summary>
    private static string Status(byte[] block)
    {
        var start = (block[0] & 0xE0) == 0x20 ? 1 : 0;
        var index = block[start] & 0x7F;
        return block[start] >= 0x80
            ? index switch { 8 => "200", 9 => "204", 10 => "206", 11 => "304", 12 => "400", 13 => "404", _ => "500" }
            : Encoding.ASCII.GetString(block, start + 2, 3);
    }
}
