using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Tidegate.Testing;

/// <summary>One connection of a <see cref="ScriptedUpstream"/>.</summary>
public sealed class ScriptedConnection : IDisposable
{
    private readonly Socket _socket;
    private readonly CancellationToken _stopping;
    private readonly StringBuilder _unread = new();
    private readonly byte[] _buffer = new byte[16 * 1024];

    internal ScriptedConnection(Socket socket, int index, CancellationToken stopping)
    {
        _socket = socket;
        _stopping = stopping;
        Index = index;
        socket.NoDelay = true;
    }

    /// <summary>From 0, in the order in which they were opened.</summary>
    public int Index { get; }

    /// <summary>The socket itself.</summary>
    public Socket Socket => _socket;

    /// <summary>Cancelled when the test is over.</summary>
    public CancellationToken Stopping => _stopping;

    /// <summary>The next head with its empty line, as Latin-1; null at the end of the connection.</summary>
    public async Task<string?> ReadHeadAsync()
    {
        int end;
        while ((end = _unread.ToString().IndexOf("\r\n\r\n", StringComparison.Ordinal)) < 0)
        {
            if (!await ReceiveAsync())
            {
                return null;
            }
        }

        return Take(end + 4);
    }

    /// <summary>The next request: its head and its content as it came, framing included; null at the end of the connection.</summary>
    public async Task<string?> ReadRequestAsync()
    {
        if (await ReadHeadAsync() is not { } head)
        {
            return null;
        }

        if (head.Contains("Transfer-Encoding: chunked", StringComparison.Ordinal))
        {
            int end;
            while ((end = EndOfChunks()) < 0)
            {
                if (!await ReceiveAsync())
                {
                    return null;
                }
            }

            return head + Take(end);
        }

        const string name = "Content-Length: ";
        var at = head.IndexOf(name, StringComparison.Ordinal);
        var length = at < 0 ? 0 : int.Parse(head[(at + name.Length)..].Split('\r')[0], CultureInfo.InvariantCulture);
        while (_unread.Length < length)
        {
            if (!await ReceiveAsync())
            {
                return null;
            }
        }

        return head + Take(length);
    }

    /// <summary>Sends text as Latin-1.</summary>
    public async Task WriteAsync(string text)
    {
        for (var bytes = Encoding.Latin1.GetBytes(text).AsMemory(); !bytes.IsEmpty;)
        {
            bytes = bytes[await _socket.SendAsync(bytes, SocketFlags.None, _stopping)..];
        }
    }

    /// <summary>Waits for the peer's end, or reset; what it still sends is thrown away.</summary>
    public async Task WaitForEndAsync()
    {
        try
        {
            while (await _socket.ReceiveAsync(_buffer.AsMemory(), SocketFlags.None, _stopping) > 0)
            {
            }
        }
        catch (SocketException reset) when (reset.SocketErrorCode == SocketError.ConnectionReset)
        {
            return;
        }
    }

    /// <summary>Closes with a reset.</summary>
    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    private async Task<bool> ReceiveAsync()
    {
        var read = await _socket.ReceiveAsync(_buffer.AsMemory(), SocketFlags.None, _stopping);
        _unread.Append(Encoding.Latin1.GetString(_buffer, 0, read));
        return read > 0;
    }

    private string Take(int length)
    {
        var taken = _unread.ToString(0, length);
        _unread.Remove(0, length);
        return taken;
    }

    /// <summary>Where chunked content ends, by its own framing; -1 while it is not complete.</summary>
    private int EndOfChunks()
    {
        var text = _unread.ToString();
        for (var at = 0; ;)
        {
            var line = text.IndexOf("\r\n", at, StringComparison.Ordinal);
            if (line < 0)
            {
                return -1;
            }

            var size = int.Parse(text[at..line].Split(';')[0], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            if (size == 0)
            {
                var end = text.IndexOf("\r\n\r\n", line, StringComparison.Ordinal);
                return end < 0 ? -1 : end + 4;
            }

            at = line + 2 + size + 2;
            if (at > text.Length)
            {
                return -1;
            }
        }
    }
}
