using System.Net.Sockets;

namespace Tidegate.Transport;

/// <summary>Which transport the process runs on.</summary>
internal static class TransportChoice
{
    /// <summary>The environment variable: <c>sockets</c> for the runtime's own sockets, <c>reactors</c> or nothing for ours. A way out, not a setting: see docs/reference/transport.md.</summary>
    public const string Variable = "TIDEGATE_TRANSPORT";

    /// <exception cref="ArgumentException">There is no such transport.</exception>
    public static void Check(string? choice)
    {
        if (choice is not (null or "" or "reactors" or "sockets"))
        {
            throw new ArgumentException($"{Variable} can be sockets, reactors or empty, not '{choice}'.");
        }
    }

    /// <summary>Our transport; null for the stock one, also where ours cannot run.</summary>
    /// <param name="choice">What <see cref="Variable"/> says; null or empty for the default.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Takes whole lines.</param>
    /// <exception cref="ArgumentException">There is no such transport.</exception>
    public static ReactorTransport? Create(string? choice, TimeProvider time, Action<string> log)
    {
        Check(choice);
        if (choice == "sockets" || !ReactorTransport.IsSupported)
        {
            return null;
        }

        try
        {
            return ReactorTransport.Create(Environment.ProcessorCount, time, log);
        }
        catch (SocketException unavailable)
        {
            // A sandbox without epoll or eventfd.
            log($"The reactors cannot start ({unavailable.Message}); connections run on the runtime's sockets.");
            return null;
        }
    }
}
