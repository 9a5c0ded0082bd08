using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tidegate.Testing;

/// <summary>Just enough HTTP/2 to send frames that no library would send. Every wait is bounded by a minute.</summary>
public sealed class RawHttp2 : IDisposable
{
    /// <summary>Frame types (RFC 9113 6).</summary>
    public const byte Data = 0, Headers = 1, ResetStream = 3, Settings = 4, Ping = 6, GoAway = 7, WindowUpdate = 8, Continuation = 9;

    /// <summary>Flags of DATA and HEADERS.</summary>
    public const byte EndStream = 1, EndHeaders = 4;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Stream _stream;
    private readonly CancellationToken _cancellation;

    private RawHttp2(Stream stream, CancellationToken cancellation)
    {
        _stream = stream;
        _cancellation = cancellation;
    }

    /// <summary>Connects in the clear with prior knowledge.</summary>
    public static async Task<RawHttp2> ConnectAsync(IPEndPoint gateway, CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(gateway, cancellation);
        return await OverAsync(new NetworkStream(socket, ownsSocket: true), cancellation);
    }

    /// <summary>Speaks over a stream that is connected already.</summary>
    public static async Task<RawHttp2> OverAsync(Stream stream, CancellationToken cancellation)
    {
        var connection = new RawHttp2(stream, cancellation);
        await stream.WriteAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray(), cancellation);
        await connection.SendAsync(Settings, 0, 0, []);
        return connection;
    }

    /// <summary>Sends one GET on a new cleartext connection with prior knowledge, and reads the answer to its end: who leaves before is a client that went away.</summary>
    /// <returns>The status, or <c>RST_STREAM</c>, <c>GOAWAY</c> or <c>closed</c>.</returns>
    public static async Task<string> GetAsync(IPEndPoint gateway, string path, IReadOnlyList<(string Name, string Value)> fields, CancellationToken cancellationToken)
    {
        using var connection = await ConnectAsync(gateway, cancellationToken);
        await connection.SendHeadersAsync(1, [.. Request("GET", gateway.ToString(), path), .. fields]);
        return (await connection.ReadAnswerAsync(1)).Status;
    }

    /// <summary>The pseudo-fields of a plain request.</summary>
    public static (string Name, string Value)[] Request(string method, string authority, string path, string scheme = "http") =>
        [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)];

    /// <summary>Sends a header block in one frame.</summary>
    public Task SendHeadersAsync(int streamId, IReadOnlyList<(string Name, string Value)> fields, bool endStream = true) =>
        SendAsync(Headers, (byte)(EndHeaders | (endStream ? EndStream : 0)), streamId, Block(fields));

    /// <summary>Sends content.</summary>
    public Task SendDataAsync(int streamId, string content, bool endStream) => SendAsync(Data, endStream ? EndStream : (byte)0, streamId, Encoding.Latin1.GetBytes(content));

    /// <summary>Ends a stream abnormally.</summary>
    public Task ResetAsync(int streamId, int error = 8) => SendAsync(ResetStream, 0, streamId, [0, 0, 0, (byte)error]);

    /// <summary>Sends any frame.</summary>
    public async Task SendAsync(byte type, byte flags, int streamId, byte[] payload)
    {
        var frame = new byte[9 + payload.Length];
        frame[0] = (byte)(payload.Length >> 16);
        frame[1] = (byte)(payload.Length >> 8);
        frame[2] = (byte)payload.Length;
        frame[3] = type;
        frame[4] = flags;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), streamId);
        payload.CopyTo(frame, 9);
        await _stream.WriteAsync(frame, _cancellation).AsTask().WaitAsync(Patience, _cancellation);
        await _stream.FlushAsync(_cancellation);
    }

    /// <summary>The next frame that is not connection management; null at the connection's end.</summary>
    public async Task<RawFrame?> ReadFrameAsync()
    {
        var head = new byte[9];
        while (true)
        {
            byte[] payload;
            try
            {
                await _stream.ReadExactlyAsync(head, _cancellation).AsTask().WaitAsync(Patience, _cancellation);
                payload = new byte[(head[0] << 16) | (head[1] << 8) | head[2]];
                await _stream.ReadExactlyAsync(payload, _cancellation).AsTask().WaitAsync(Patience, _cancellation);
            }
            catch (IOException)
            {
                return null;
            }

            switch (head[3])
            {
                case Settings when (head[4] & 1) == 0:
                    await AnswerAsync(Settings, []);
                    break;
                case Ping when (head[4] & 1) == 0:
                    await AnswerAsync(Ping, payload);
                    break;
                case Settings or Ping or WindowUpdate:
                    break;
                default:
                    return new RawFrame(head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)), payload);
            }
        }
    }

    /// <summary>Acknowledges. A peer that has closed meanwhile takes no answer, and what it sent before is still to be read.</summary>
    private async Task AnswerAsync(byte type, byte[] payload)
    {
        try
        {
            await SendAsync(type, 1, 0, payload);
        }
        catch (IOException)
        {
            return;
        }
    }

    /// <summary>Reads to the end of one stream; frames of other streams are passed over.</summary>
    public async Task<RawHttp2Answer> ReadAnswerAsync(int streamId)
    {
        var answer = new RawHttp2Answer("", "", "closed");
        while (await ReadFrameAsync() is { } frame)
        {
            if (frame.Type == GoAway)
            {
                answer = answer with { End = "GOAWAY" };
                if (BinaryPrimitives.ReadInt32BigEndian(frame.Payload.AsSpan(4)) != 0)
                {
                    break;
                }

                // A graceful one: streams that are open go on.
                continue;
            }

            if (frame.StreamId != streamId)
            {
                continue;
            }

            if (frame.Type == ResetStream)
            {
                return answer with { Status = answer.Status.Length == 0 ? "RST_STREAM" : answer.Status, End = "RST_STREAM" };
            }

            answer = frame.Type == Headers
                ? answer with { Status = answer.Status.Length == 0 || answer.Status.StartsWith('1') ? Status(frame.Payload) : answer.Status }
                : answer with { Content = answer.Content + Encoding.Latin1.GetString(frame.Payload) };
            if ((frame.Flags & EndStream) != 0)
            {
                return answer with { End = "END_STREAM" };
            }
        }

        return answer with { Status = answer.Status.Length == 0 ? answer.End : answer.Status };
    }

    /// <summary>RFC 7541 6.2.2: literals without indexing, new names, no Huffman coding.</summary>
    public static byte[] Block(IReadOnlyList<(string Name, string Value)> fields)
    {
        var block = new MemoryStream();
        foreach (var (name, value) in fields)
        {
            block.WriteByte(0);
            WriteString(block, name);
            WriteString(block, value);
        }

        return block.ToArray();
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    private static void WriteString(Stream into, string text)
    {
        // RFC 7541 5.1: an integer with a prefix of 7 bits.
        var rest = text.Length;
        into.WriteByte((byte)Math.Min(rest, 127));
        for (rest -= 127; rest >= 0; rest >>= 7)
        {
            into.WriteByte((byte)((rest & 127) | (rest > 127 ? 128 : 0)));
            if (rest <= 127)
            {
                break;
            }
        }

        into.Write(Encoding.Latin1.GetBytes(text));
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

/// <summary>One HTTP/2 frame.</summary>
public sealed record RawFrame(byte Type, byte Flags, int StreamId, byte[] Payload);

/// <summary>What came on one stream.</summary>
/// <param name="Status">The status; or how the stream ended when none came.</param>
/// <param name="Content">All DATA.</param>
/// <param name="End"><c>END_STREAM</c>, <c>RST_STREAM</c>, <c>GOAWAY</c> or <c>closed</c>.</param>
public sealed record RawHttp2Answer(string Status, string Content, string End);
