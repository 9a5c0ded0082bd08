using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Tidegate.Host.Warming;

/// <summary>A client that sends typical requests one after the other, on plain sockets so that nothing of it is on the path that is warmed.</summary>
internal sealed class WarmUpClient(IPEndPoint ingress, IPEndPoint egress)
{
    private static readonly byte[][] IngressRequests =
    [
        Request("GET /orders/17?page=2", "open.test", ""),
        Request("GET /orders/17", "keyed.test", $"X-Api-Key: {WarmUpGateway.ApiKey}\r\n"),
        Request("POST /orders", "keyed.test", $"X-Api-Key: {WarmUpGateway.ApiKey}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n", new string('y', 1000)),
        Request("POST /orders", "open.test", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
        Request("GET /orders/17", "keyed.test", ""),
        Request("GET /", "nobody.test", ""),
    ];

    private static readonly byte[][] EgressRequests =
    [
        Request("GET http://out.test/charges/9", "out.test", ""),
        Request("GET /out/charges/9", "127.0.0.1", ""),
    ];

    // A machine that is this slow is better served without a warm-up.
    private const int PatienceMilliseconds = 2000;

    private readonly byte[] _buffer = new byte[64 * 1024];

    private static byte[] Request(string line, string host, string fields, string content = "") =>
        Encoding.ASCII.GetBytes($"{line} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: warm-up/1.0\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n{fields}\r\n{content}");

    /// <summary>Sends every request so many times, on a connection to each listener; gives how many exchanges that were.</summary>
    public int Run(int times, CancellationToken timeIsUp) => Run(ingress, IngressRequests, times, timeIsUp) + Run(egress, EgressRequests, times, timeIsUp);

    private int Run(IPEndPoint gateway, byte[][] requests, int times, CancellationToken timeIsUp)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = PatienceMilliseconds };
        socket.Connect(gateway);
        var exchanges = 0;
        for (; exchanges < times * requests.Length && !timeIsUp.IsCancellationRequested; exchanges++)
        {
            socket.Send(requests[exchanges % requests.Length]);
            for (var received = 0; !HttpMessages.IsWhole(_buffer.AsSpan(0, received));)
            {
                received += socket.Receive(_buffer.AsSpan(received)) is > 0 and var count ? count : throw new IOException("The connection ended within an answer.");
            }
        }

        return exchanges;
    }
}
