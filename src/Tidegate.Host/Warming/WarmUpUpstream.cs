using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tidegate.Host.Warming;

/// <summary>What the warm-up's requests are forwarded to: a socket on loopback that answers with content of a few typical shapes, in turn.</summary>
internal sealed class WarmUpUpstream : IDisposable
{
    private static readonly byte[][] Answers =
    [
        Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nServer: warm-up\r\nDate: Wed, 25 Nov 2026 10:00:00 GMT\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: 200\r\n\r\n" + new string('x', 200)),
        Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nDate: Wed, 25 Nov 2026 10:00:00 GMT\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nc8\r\n" + new string('x', 200) + "\r\n0\r\n\r\n"),
        Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nDate: Wed, 25 Nov 2026 10:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 20000\r\n\r\n" + new string('x', 20_000)),
    ];

    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public WarmUpUpstream()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        Start(Accept);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    public void Dispose() => _listener.Dispose();

    private static void Start(Action run) => new Thread(() => run()) { IsBackground = true, Name = "Tidegate warm-up" }.Start();

    private void Accept()
    {
        try
        {
            while (true)
            {
                var connection = _listener.Accept();
                Start(() => Serve(connection));
            }
        }
        catch (Exception disposed) when (disposed is SocketException or ObjectDisposedException)
        {
            // The warm-up is over.
            return;
        }
    }

    private static void Serve(Socket connection)
    {
        using (connection)
        {
            try
            {
                connection.NoDelay = true;
                var buffer = new byte[64 * 1024];
                var (received, next) = (0, 0);
                while (connection.Receive(buffer.AsSpan(received)) is > 0 and var count)
                {
                    received += count;
                    if (HttpMessages.IsWhole(buffer.AsSpan(0, received)))
                    {
                        received = 0;
                        connection.Send(Answers[next++ % Answers.Length]);
                    }
                }
            }
            catch (SocketException)
            {
                // The gateway broke off an exchange, which is its right.
                return;
            }
        }
    }
}
