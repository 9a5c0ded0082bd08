using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tidegate.Testing;

/// <summary>A client that sends exactly the bytes that the test says. Every wait is bounded by a minute.</summary>
public sealed class RawClient : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly CancellationToken _cancellation;
    private readonly byte[] _buffer = new byte[16 * 1024];
    private string _received = "";

    private RawClient(CancellationToken cancellation) => _cancellation = cancellation;

    /// <summary>The connection ended with a reset instead of a proper end.</summary>
    public bool WasReset { get; private set; }

    /// <summary>Connects.</summary>
    /// <param name="gateway">Where to.</param>
    /// <param name="cancellation">The test's.</param>
    /// <param name="receiveBufferBytes">A small number makes a client that stops reading felt soon; 0 is the system's default.</param>
    public static async Task<RawClient> ConnectAsync(IPEndPoint gateway, CancellationToken cancellation, int receiveBufferBytes = 0)
    {
        var client = new RawClient(cancellation);
        if (receiveBufferBytes > 0)
        {
            client._socket.ReceiveBufferSize = receiveBufferBytes;
        }

        await client._socket.ConnectAsync(gateway, cancellation);
        return client;
    }

    /// <summary>Sends and reads to the end of the connection, in one step.</summary>
    public static async Task<string> ExchangeAsync(IPEndPoint gateway, string request, CancellationToken cancellation)
    {
        using var client = await ConnectAsync(gateway, cancellation);
        await client.SendAsync(request);
        return await client.ReadToEndAsync();
    }

    /// <summary>Sends Latin-1 text as its bytes.</summary>
    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>Sends bytes.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await _socket.SendAsync(bytes, _cancellation).AsTask().WaitAsync(Patience, _cancellation)..];
        }
    }

    /// <summary>Sends no more; still reads.</summary>
    public void HalfClose() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Ends the connection with a reset.</summary>
    public void Reset() => _socket.Close(0);

    /// <summary>Everything up to and with the marker; what came behind it stays for the next read.</summary>
    public async Task<string> ReadUntilAsync(string marker)
    {
        int at;
        while ((at = _received.IndexOf(marker, StringComparison.Ordinal)) < 0)
        {
            if (!await ReceiveAsync())
            {
                throw new EndOfStreamException($"The connection ended before '{marker}': {_received}");
            }
        }

        var text = _received[..(at + marker.Length)];
        _received = _received[(at + marker.Length)..];
        return text;
    }

    /// <summary>So many characters.</summary>
    public async Task<string> ReadAsync(int count)
    {
        while (_received.Length < count)
        {
            if (!await ReceiveAsync())
            {
                throw new EndOfStreamException($"The connection ended {count - _received.Length} bytes early: {_received}");
            }
        }

        var text = _received[..count];
        _received = _received[count..];
        return text;
    }

    /// <summary>One whole answer with its framing removed; throws when it is cut short.</summary>
    /// <param name="isHead">It answers a HEAD: no content follows.</param>
    public async Task<RawAnswer> ReadAnswerAsync(bool isHead = false)
    {
        var head = await ReadUntilAsync("\r\n\r\n");
        var answer = new RawAnswer(int.Parse(head.AsSpan(9, 3)), head, "");
        if (isHead || answer.Status is < 200 or 204 or 304)
        {
            return answer;
        }

        if (answer.Field("Transfer-Encoding") is not null)
        {
            var content = new StringBuilder();
            while (true)
            {
                var size = Convert.ToInt32((await ReadUntilAsync("\r\n")).Trim(), 16);
                if (size == 0)
                {
                    var trailers = "";
                    while (await ReadUntilAsync("\r\n") is { Length: > 2 } line)
                    {
                        trailers += line;
                    }

                    return answer with { Content = content.ToString(), Trailers = trailers };
                }

                content.Append(await ReadAsync(size));
                await ReadUntilAsync("\r\n");
            }
        }

        return answer with { Content = answer.Field("Content-Length") is { } length ? await ReadAsync(int.Parse(length)) : await ReadToEndAsync() };
    }

    /// <summary>Everything up to the end of the connection, a proper one or a reset.</summary>
    public async Task<string> ReadToEndAsync()
    {
        while (await ReceiveAsync())
        {
        }

        var text = _received;
        _received = "";
        return text;
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    private async Task<bool> ReceiveAsync()
    {
        try
        {
            var read = await _socket.ReceiveAsync(_buffer.AsMemory(), _cancellation).AsTask().WaitAsync(Patience, _cancellation);
            _received += Encoding.Latin1.GetString(_buffer, 0, read);
            return read > 0;
        }
        catch (SocketException reset) when (reset.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown or SocketError.ConnectionAborted)
        {
            WasReset = true;
            return false;
        }
    }
}

/// <summary>An answer as it came over the wire.</summary>
/// <param name="Status">From the status line.</param>
/// <param name="Head">Status line and fields.</param>
/// <param name="Content">Without framing.</param>
public sealed record RawAnswer(int Status, string Head, string Content)
{
    /// <summary>Trailer lines; empty without.</summary>
    public string Trailers { get; init; } = "";

    /// <summary>The first field of that name, or null.</summary>
    public string? Field(string name)
    {
        foreach (var line in Head.Split("\r\n").Skip(1))
        {
            if (line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))
            {
                return line[(name.Length + 1)..].Trim();
            }
        }

        return null;
    }
}
