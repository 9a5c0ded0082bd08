using System.Net.Sockets;
using System.Text;

namespace Tidegate.Load.Traffic;

/// <summary>One connection of a proxy to the load upstream. Trusts that requests are well-formed: proxies wrote them.</summary>
internal sealed class UpstreamConnection(Socket socket, int index)
{
    private readonly byte[] _received = new byte[16 * 1024];
    private int _filled;
    private long _contentLeft;
    private byte[] _path = [];
    private byte[]? _known;
    private byte[]? _answer;
    private int _sent;

    public Socket Socket => socket;

    public int Index => index;

    public bool IsStream { get; private set; }

    /// <summary>Reads and answers what there is. False when the connection is over.</summary>
    public bool Serve(uint events, LoadUpstream upstream)
    {
        if (_answer is not null && (events & Epoll.Writable) != 0)
        {
            if (Continue())
            {
                upstream.Await(this, Epoll.Readable);
            }

            return true;
        }

        var read = Epoll.Receive(socket, _received.AsSpan(_filled));
        if (read <= 0)
        {
            return false;
        }

        _filled += read;
        while (_answer is null && Take(upstream))
        {
            if (!Continue())
            {
                upstream.Await(this, Epoll.Readable | Epoll.Writable);
            }
        }

        return true;
    }

    /// <summary>Takes one request from what was received. False when there is none, or it asked for a stream.</summary>
    private bool Take(LoadUpstream upstream)
    {
        if (_contentLeft > 0)
        {
            var content = (int)Math.Min(_contentLeft, _filled);
            Consume(content);
            _contentLeft -= content;
            if (_contentLeft > 0)
            {
                return false;
            }

            _answer = _known;
            return true;
        }

        var bytes = _received.AsSpan(0, _filled);
        var end = bytes.IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            return false;
        }

        var start = bytes.IndexOf((byte)' ') + 1;
        var path = bytes.Slice(start, bytes[start..].IndexOf((byte)' '));
        if (_known is null || !path.SequenceEqual(_path))
        {
            _path = path.ToArray();
            _known = upstream.Answer(path);
        }

        _contentLeft = bytes[0] == 'P' ? ContentLength(bytes[..end]) : 0;
        Consume(end + 4);
        if (_known is null)
        {
            IsStream = true;
            upstream.BeginStream(this);
            return false;
        }

        if (_contentLeft > 0)
        {
            return Take(upstream);
        }

        _answer = _known;
        return true;
    }

    /// <summary>Sends what the kernel takes. True when the answer is out.</summary>
    private bool Continue()
    {
        while (_sent < _answer!.Length)
        {
            var sent = Epoll.Send(socket, _answer.AsSpan(_sent));
            if (sent < 0)
            {
                return false;
            }

            _sent += sent;
        }

        _answer = null;
        _sent = 0;
        return true;
    }

    private void Consume(int count)
    {
        _received.AsSpan(count, _filled - count).CopyTo(_received);
        _filled -= count;
    }

    private static long ContentLength(ReadOnlySpan<byte> head)
    {
        foreach (var range in head.Split("\r\n"u8))
        {
            var line = head[range];
            if (line.Length > 15 && Ascii.EqualsIgnoreCase(line[..15], "content-length:"u8))
            {
                return long.Parse(line[15..].Trim((byte)' '), System.Globalization.CultureInfo.InvariantCulture);
            }
        }

        throw new InvalidDataException("The load upstream knows uploads with a Content-Length only.");
    }
}
