using System.Buffers.Text;

namespace Tidegate.Load.Traffic;

/// <summary>Sends one event a second on every open stream, spread evenly over the second. An event is the time at which it was sent.</summary>
internal sealed class EventStreams
{
    // Often enough that no burst is larger than a hundredth of the streams.
    private const long Tick = Clock.Second / 100;

    private readonly List<UpstreamConnection> _streams = [];
    private long _next;
    private double _owed;
    private int _turn;

    public void Add(UpstreamConnection stream, long now)
    {
        Epoll.Send(stream.Socket, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"u8);
        _streams.Add(stream);
        _next = _next == 0 ? now + Tick : _next;
    }

    public void Remove(UpstreamConnection stream)
    {
        if (stream.IsStream)
        {
            _streams.Remove(stream);
        }
    }

    /// <summary>Nanoseconds until events are to be sent; negative when there are none.</summary>
    public long Due(long now) => _streams.Count == 0 ? -1 : Math.Max(0, _next - now);

    public void Send(long now)
    {
        if (_streams.Count == 0 || now < _next)
        {
            return;
        }

        _next += Tick;
        _owed += _streams.Count * (double)Tick / Clock.Second;
        for (; _owed >= 1; _owed--)
        {
            _turn = (_turn + 1) % _streams.Count;
            SendEvent(_streams[_turn], now);
        }
    }

    private static void SendEvent(UpstreamConnection stream, long now)
    {
        Span<byte> chunk = stackalloc byte[40];
        "1b\r\ndata: "u8.CopyTo(chunk);
        Utf8Formatter.TryFormat(now, chunk[10..], out _, new('D', 19));
        "\n\n\r\n"u8.CopyTo(chunk[29..]);

        // A stream that takes no more loses the event; the consumer's count shows it.
        Epoll.Send(stream.Socket, chunk[..33]);
    }
}
