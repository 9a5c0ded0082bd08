using System.Net;
using System.Net.Sockets;

namespace Tidegate.Testing;

/// <summary>
/// Ports for those who must know theirs before they listen, or that nobody is to listen on. Below the range from which systems choose when they are asked for any
/// (32768 and more on Linux, 49152 elsewhere): nobody gets one of them by chance before it is used.
/// </summary>
public static class TestPorts
{
    private const int First = 12_000;
    private const int Pairs = 9_000;

    // Suites that run at the same time begin at different places. By pairs: who wants the next port too has it.
    private static int _next = Environment.ProcessId * 61 % Pairs;

    /// <summary>A port that nobody listens on, and that is given to nobody else in this process, nor is the next.</summary>
    /// <param name="neighbours">Distances from it at which ports are free too.</param>
    public static int Free(params ReadOnlySpan<int> neighbours)
    {
        while (true)
        {
            var port = First + (2 * (int)((uint)Interlocked.Increment(ref _next) % Pairs));
            var isFree = IsFree(port);
            foreach (var distance in neighbours)
            {
                isFree = isFree && IsFree(port + distance);
            }

            if (isFree)
            {
                return port;
            }
        }
    }

    private static bool IsFree(int port)
    {
        using var probe = new TcpListener(IPAddress.Loopback, port);
        try
        {
            probe.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
