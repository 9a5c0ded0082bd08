using System.Net;
using System.Net.Quic;
using System.Net.Security;
using System.Runtime.Versioning;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Tidegate.Testing;

/// <summary>Just enough HTTP/3 to send requests whose fields no library would send. Not for use where QUIC is not supported.</summary>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("macos")]
[SupportedOSPlatform("windows")]
public sealed class RawHttp3 : IAsyncDisposable
{
    private const byte Data = 0;
    private const byte Headers = 1;
    private readonly QuicConnection _connection;
    private readonly QuicStream _control;

    private RawHttp3(QuicConnection connection, QuicStream control)
    {
        _connection = connection;
        _control = control;
    }

    /// <summary>The certificate that the gateway showed.</summary>
    public string? ServedSubject => (_connection.RemoteCertificate as X509Certificate2)?.Subject;

    /// <summary>Connects, and opens the control stream that RFC 9114 6.2.1 asks for. Any certificate will do.</summary>
    /// <param name="gateway">Where it listens.</param>
    /// <param name="serverName">The SNI name.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<RawHttp3> ConnectAsync(IPEndPoint gateway, string serverName, CancellationToken cancellationToken)
    {
        var connection = await QuicConnection.ConnectAsync(new QuicClientConnectionOptions
        {
            RemoteEndPoint = gateway,
            DefaultCloseErrorCode = 0x100,
            DefaultStreamErrorCode = 0x10C,
            MaxInboundUnidirectionalStreams = 3,
            ClientAuthenticationOptions = new SslClientAuthenticationOptions
            {
                ApplicationProtocols = [SslApplicationProtocol.Http3],
                TargetHost = serverName,
                RemoteCertificateValidationCallback = static (_, _, _, _) => true,
            },
        }, cancellationToken);
        var control = await connection.OpenOutboundStreamAsync(QuicStreamType.Unidirectional, cancellationToken);

        // Stream type 0, then an empty SETTINGS frame.
        await control.WriteAsync(new byte[] { 0, 4, 0 }, cancellationToken);
        return new RawHttp3(connection, control);
    }

    /// <summary>Sends one request with an https scheme and reads the head of its answer.</summary>
    /// <param name="method">The <c>:method</c>.</param>
    /// <param name="pseudo">The other pseudo-header fields, colon included, in their order.</param>
    /// <param name="fields">All other fields.</param>
    /// <param name="content">The content, and whether the stream ends after it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The status, <c>reset CODE</c> when the stream was reset, or <c>closed CODE</c> when the connection was.</returns>
    public async Task<string> SendAsync(string method, IReadOnlyList<(string Name, string Value)> pseudo, IReadOnlyList<(string Name, string Value)> fields, string? content, CancellationToken cancellationToken)
    {
        // RFC 9204 4.5.1: no dynamic table is used.
        var block = new MemoryStream();
        block.Write([0, 0]);
        foreach (var (name, value) in (IEnumerable<(string, string)>)[(":method", method), .. pseudo, .. fields])
        {
            WriteField(block, name, value);
        }

        var request = new MemoryStream();
        WriteFrame(request, Headers, block.ToArray());
        if (content is not null)
        {
            WriteFrame(request, Data, Encoding.Latin1.GetBytes(content));
        }

        try
        {
            await using var stream = await _connection.OpenOutboundStreamAsync(QuicStreamType.Bidirectional, cancellationToken);
            await stream.WriteAsync(request.ToArray(), completeWrites: true, cancellationToken);
            while (true)
            {
                var type = await ReadNumberAsync(stream, cancellationToken);
                var payload = new byte[await ReadNumberAsync(stream, cancellationToken)];
                await stream.ReadExactlyAsync(payload, cancellationToken);
                if (type == Headers)
                {
                    await stream.CopyToAsync(Stream.Null, cancellationToken);
                    return Status(payload);
                }
            }
        }
        catch (QuicException ended) when (ended.QuicError is QuicError.StreamAborted or QuicError.ConnectionAborted)
        {
            return Ended(ended);
        }
    }

    /// <summary>Sends one GET.</summary>
    public Task<string> GetAsync(string path, IReadOnlyList<(string Name, string Value)> fields, CancellationToken cancellationToken) =>
        SendAsync("GET", [(":scheme", "https"), (":authority", _connection.RemoteEndPoint.ToString()), (":path", path)], fields, null, cancellationToken);

    /// <summary>Begins a request's head and never ends it; waits for what the gateway does.</summary>
    /// <returns>As of <see cref="SendAsync"/>.</returns>
    public async Task<string> BeginHeadAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = await _connection.OpenOutboundStreamAsync(QuicStreamType.Bidirectional, cancellationToken);
            await stream.WriteAsync(new byte[] { Headers, 100, 0, 0 }, cancellationToken);
            return await stream.ReadAsync(new byte[1], cancellationToken) == 0 ? "end" : "answer";
        }
        catch (QuicException ended) when (ended.QuicError is QuicError.StreamAborted or QuicError.ConnectionAborted)
        {
            return Ended(ended);
        }
    }

    /// <summary>Waits until the gateway closes the connection.</summary>
    /// <returns><c>closed CODE</c>.</returns>
    public async Task<string> WaitUntilClosedAsync(CancellationToken cancellationToken)
    {
        var streams = new List<QuicStream>();
        try
        {
            while (true)
            {
                // The gateway's control stream: kept, because a critical stream must stay open.
                streams.Add(await _connection.AcceptInboundStreamAsync(cancellationToken));
            }
        }
        catch (QuicException ended) when (ended.QuicError == QuicError.ConnectionAborted)
        {
            return Ended(ended);
        }
        finally
        {
            foreach (var stream in streams)
            {
                await stream.DisposeAsync();
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _control.DisposeAsync();
        await _connection.CloseAsync(0x100);
        await _connection.DisposeAsync();
    }

    private static string Ended(QuicException ended) => $"{(ended.QuicError == QuicError.StreamAborted ? "reset" : "closed")} {ended.ApplicationErrorCode:x}";

    /// <summary>RFC 9204 4.5.6: literal field line with literal name, no Huffman coding.</summary>
    internal static void WriteField(Stream into, string name, string value)
    {
        WritePrefixed(into, 0x20, 3, name.Length);
        into.Write(Encoding.Latin1.GetBytes(name));
        WritePrefixed(into, 0, 7, value.Length);
        into.Write(Encoding.Latin1.GetBytes(value));
    }

    /// <summary>RFC 7541 5.1: a number behind the pattern's bits.</summary>
    private static void WritePrefixed(Stream into, int pattern, int bits, int number)
    {
        var limit = (1 << bits) - 1;
        if (number < limit)
        {
            into.WriteByte((byte)(pattern | number));
            return;
        }

        into.WriteByte((byte)(pattern | limit));
        for (number -= limit; number >= 128; number >>= 7)
        {
            into.WriteByte((byte)(number | 128));
        }

        into.WriteByte((byte)number);
    }

    internal static void WriteFrame(Stream into, byte type, byte[] payload)
    {
        into.WriteByte(type);

        // RFC 9000 16: four bytes are enough for a billion.
        into.Write([(byte)(0x80 | (payload.Length >> 24)), (byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length]);
        into.Write(payload);
    }

    internal static async Task<long> ReadNumberAsync(Stream stream, CancellationToken cancellationToken)
    {
        var bytes = new byte[8];
        await stream.ReadExactlyAsync(bytes.AsMemory(0, 1), cancellationToken);
        var length = 1 << (bytes[0] >> 6);
        await stream.ReadExactlyAsync(bytes.AsMemory(1, length - 1), cancellationToken);
        long number = bytes[0] & 0x3F;
        for (var i = 1; i < length; i++)
        {
            number = (number << 8) | bytes[i];
        }

        return number;
    }

    /// <summary>RFC 9204 appendix A: 24 to 28 and 63 to 71 are :status of the static table; others come as a literal with the name of one of these.</summary>
    private static string Status(byte[] block)
    {
        ReadOnlySpan<string> low = ["103", "200", "304", "404", "503"];
        ReadOnlySpan<string> high = ["100", "204", "206", "302", "400", "403", "421", "425", "500"];
        var first = block[2];
        if ((first & 0xC0) == 0xC0)
        {
            var index = first & 0x3F;
            index = index == 0x3F ? 0x3F + block[3] : index;
            return index < 63 ? low[index - 24] : high[index - 63];
        }

        // 01 N T and a four-bit index, 15 and more in a second byte; then the length of the value and the value.
        var value = (first & 0x0F) == 0x0F ? 4 : 3;
        return Encoding.ASCII.GetString(block, value + 1, 3);
    }
}
