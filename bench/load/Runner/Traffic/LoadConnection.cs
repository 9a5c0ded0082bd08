using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tidegate.Load.Traffic;

/// <summary>What a read on a connection came to.</summary>
internal enum ReadOutcome
{
    /// <summary>The answer is not whole yet.</summary>
    Partial,

    /// <summary>The whole answer is there, and its status is 200.</summary>
    Answered,

    /// <summary>The connection broke, the status is another, or the answer has no length.</summary>
    Failed,
}

/// <summary>One keep-alive connection of the generator, with at most one request under way.</summary>
internal sealed class LoadConnection : IDisposable
{
    private readonly byte[] _buffer = new byte[64 * 1024];
    private readonly byte[] _request;
    private int _sent;
    private int _head;
    private long _left;

    public LoadConnection(int port, byte[] request)
    {
        _request = request;
        Socket.Connect(IPAddress.Loopback, port);
        Socket.Blocking = false;
    }

    public Socket Socket { get; } = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    /// <summary>When the request under way was meant to be sent.</summary>
    public long Intended { get; private set; }

    /// <summary>Begins a request. False when the kernel did not take all of it: go on with <see cref="Continue"/> when the connection is writable.</summary>
    public bool Begin(long intended)
    {
        Intended = intended;
        (_sent, _head, _left) = (0, 0, 0);
        return Continue();
    }

    public bool Continue()
    {
        while (_sent < _request.Length)
        {
            var sent = Epoll.Send(Socket, _request.AsSpan(_sent));
            if (sent < 0)
            {
                return false;
            }

            _sent += sent;
        }

        return true;
    }

    public ReadOutcome Read()
    {
        var read = Epoll.Receive(Socket, _left > 0 ? _buffer : _buffer.AsSpan(_head));
        if (read <= 0)
        {
            return ReadOutcome.Failed;
        }

        if (_left == 0)
        {
            _head += read;
            var bytes = _buffer.AsSpan(0, _head);
            var end = bytes.IndexOf("\r\n\r\n"u8);
            if (end < 0)
            {
                return _head == _buffer.Length ? ReadOutcome.Failed : ReadOutcome.Partial;
            }

            var length = bytes.StartsWith("HTTP/1.1 200"u8) ? ContentLength(bytes[..end]) : -1;
            if (length < 0)
            {
                return ReadOutcome.Failed;
            }

            read = _head - end - 4;
            _left = length;
            _head = 0;
        }

        _left -= read;
        return _left == 0 ? ReadOutcome.Answered : _left < 0 ? ReadOutcome.Failed : ReadOutcome.Partial;
    }

    public void Dispose() => Socket.Dispose();

    private static long ContentLength(ReadOnlySpan<byte> head)
    {
        foreach (var range in head.Split("\r\n"u8))
        {
            var line = head[range];
            if (line.Length > 15 && Ascii.EqualsIgnoreCase(line[..15], "content-length:"u8))
            {
                return long.Parse(line[15..].Trim((byte)' '), CultureInfo.InvariantCulture);
            }
        }

        return -1;
    }
}
