using System.Net;
using System.Net.Sockets;

namespace Tidegate.Load.Generator;

/// <summary>One keep-alive connection. Knows only answers with a Content-Length, which is all that the load upstream sends.</summary>
internal sealed class LoadConnection : IDisposable
{
    private static readonly byte[] Request = "GET /load HTTP/1.1\r\nHost: load.test\r\n\r\n"u8.ToArray();
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _buffer = new byte[8192];

    public Task ConnectAsync(int port) => _socket.ConnectAsync(IPAddress.Loopback, port);

    /// <summary>Sends one request and reads its whole answer; false when the status is not 200.</summary>
    public async ValueTask<bool> ExchangeAsync()
    {
        await _socket.SendAsync(Request);
        var received = 0;
        var expected = -1;
        while (expected < 0 || received < expected)
        {
            var count = await _socket.ReceiveAsync(_buffer.AsMemory(received));
            if (count == 0)
                throw new IOException("The connection was closed before the answer was complete.");

            received += count;
            if (expected < 0)
                expected = AnswerLength(_buffer.AsSpan(0, received));
        }

        return _buffer.AsSpan().StartsWith("HTTP/1.1 200"u8);
    }

    public void Dispose() => _socket.Dispose();

    private static int AnswerLength(ReadOnlySpan<byte> received)
    {
        var end = received.IndexOf("\r\n\r\n"u8);
        if (end < 0)
            return -1;

        var head = System.Text.Encoding.ASCII.GetString(received[..end]);
        var at = head.IndexOf("content-length:", StringComparison.OrdinalIgnoreCase);
        if (at < 0)
            throw new IOException("The answer has no Content-Length.");

        var value = head.AsSpan(at + 15);
        var line = value.IndexOf('\r');
        return end + 4 + int.Parse(line < 0 ? value : value[..line], System.Globalization.CultureInfo.InvariantCulture);
    }
}
