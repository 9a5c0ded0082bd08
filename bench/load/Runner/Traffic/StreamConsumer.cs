using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;

namespace Tidegate.Load.Traffic;

/// <summary>Holds event streams open and takes the time that each event was on its way.</summary>
internal sealed class StreamConsumer : IDisposable
{
    private readonly Epoll _epoll = new();
    private readonly Socket[] _sockets;
    private readonly byte[] _buffer = new byte[16 * 1024];
    private readonly List<long> _latencies = new(1 << 20);
    private long _errors;

    public StreamConsumer(int port, int streams)
    {
        var request = new RequestShape("/events").ToBytes();
        _sockets = new Socket[streams];
        for (var i = 0; i < streams; i++)
        {
            _sockets[i] = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            _sockets[i].Connect(IPAddress.Loopback, port);
            _sockets[i].Send(request);
            _sockets[i].Blocking = false;
            _epoll.Watch(_sockets[i], i);
        }
    }

    public Measurement Run(double seconds)
    {
        _latencies.Clear();
        _errors = 0;
        var began = Clock.Now;
        var end = began + (long)(seconds * Clock.Second);
        for (var now = began; now < end; now = Clock.Now)
        {
            var count = _epoll.Wait(end - now);
            for (var i = 0; i < count; i++)
            {
                Take(_sockets[_epoll.Event(i).Data]);
            }
        }

        return Measurement.Of(_latencies, _errors, 0, (Clock.Now - began) / (double)Clock.Second);
    }

    public void Dispose()
    {
        foreach (var socket in _sockets)
        {
            socket.Dispose();
        }

        _epoll.Dispose();
    }

    private void Take(Socket socket)
    {
        var read = Epoll.Receive(socket, _buffer);
        if (read <= 0)
        {
            _errors++;
            _epoll.Forget(socket);
            return;
        }

        // An event is 33 bytes and never cut on loopback; one that is cut is not counted.
        var bytes = _buffer.AsSpan(0, read);
        var now = Clock.Now;
        while (bytes.IndexOf("data: "u8) is >= 0 and var at)
        {
            bytes = bytes[(at + 6)..];
            if (bytes.Length >= 19 && Utf8Parser.TryParse(bytes[..19], out long sent, out _))
            {
                _latencies.Add(now - sent);
            }
        }
    }
}
