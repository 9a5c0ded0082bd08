using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tidegate.Load.Traffic;

/// <summary>
/// The service behind every proxy: one thread, answers that are ready. <c>/bytes/N</c> answers with N bytes, <c>/cached/N</c> with N bytes that may be
/// kept, <c>/events</c> with an event stream, everything else with 200 bytes.
/// </summary>
internal sealed class LoadUpstream : IDisposable
{
    private const long Listener = -1;
    private const int SmallestAnswer = 200;

    private readonly Epoll _epoll = new();
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
    private readonly Dictionary<string, byte[]> _answers = [];
    private readonly List<UpstreamConnection?> _connections = [];
    private readonly Stack<int> _free = new();
    private readonly EventStreams _streams = new();

    public LoadUpstream(int port)
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
        _listener.Listen(4096);
        _epoll.Watch(_listener, Listener);
    }

    /// <summary>Serves for ever.</summary>
    public void Run()
    {
        while (true)
        {
            var count = _epoll.Wait(_streams.Due(Clock.Now));
            for (var i = 0; i < count; i++)
            {
                var (data, events) = _epoll.Event(i);
                if (data == Listener)
                {
                    Accept();
                }
                else if (_connections[(int)data] is { } connection && !connection.Serve(events, this))
                {
                    Close((int)data, connection);
                }
            }

            _streams.Send(Clock.Now);
        }
    }

    /// <summary>The whole answer to a path; null begins an event stream.</summary>
    public byte[]? Answer(ReadOnlySpan<byte> path)
    {
        if (path.StartsWith("/events"u8))
        {
            return null;
        }

        var text = Encoding.ASCII.GetString(path);
        if (!_answers.TryGetValue(text, out var answer))
        {
            _answers[text] = answer = Make(text);
        }

        return answer;
    }

    public void BeginStream(UpstreamConnection connection) => _streams.Add(connection, Clock.Now);

    /// <summary>What is left of an answer goes when the connection takes more.</summary>
    public void Await(UpstreamConnection connection, uint events) => _epoll.Rewatch(connection.Socket, connection.Index, events);

    public void Dispose()
    {
        _listener.Dispose();
        _epoll.Dispose();
    }

    private static byte[] Make(string path)
    {
        var parts = path.Split('/', '?');
        var length = parts is [_, "bytes" or "cached", var size, ..] && int.TryParse(size, out var bytes) ? bytes : SmallestAnswer;
        var kept = parts[1] == "cached" ? "Cache-Control: max-age=3600\r\n" : "";
        var head = $"HTTP/1.1 200 OK\r\nDate: {DateTimeOffset.UtcNow:R}\r\nContent-Type: application/json\r\n{kept}Content-Length: {length}\r\n\r\n";
        return [.. Encoding.ASCII.GetBytes(head), .. Enumerable.Repeat((byte)'x', length)];
    }

    private void Accept()
    {
        // One for each notification: the next one is notified again.
        var socket = _listener.Accept();
        socket.Blocking = false;
        socket.NoDelay = true;
        if (!_free.TryPop(out var index))
        {
            index = _connections.Count;
            _connections.Add(null);
        }

        _connections[index] = new UpstreamConnection(socket, index);
        _epoll.Watch(socket, index);
    }

    private void Close(int index, UpstreamConnection connection)
    {
        _streams.Remove(connection);
        _connections[index] = null;
        _free.Push(index);
        connection.Socket.Dispose();
    }
}
