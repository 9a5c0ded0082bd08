using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Tidegate.Host;

/// <summary>Tells systemd what state the process is in (sd_notify(3)): one datagram for each change. Without <c>$NOTIFY_SOCKET</c> it is silent.</summary>
/// <param name="socket">The value of <c>$NOTIFY_SOCKET</c>: a path, or an abstract name after <c>@</c>.</param>
/// <param name="time">systemd matches a reload by the monotonic clock.</param>
/// <param name="log">Learns when systemd cannot be told; the gateway serves all the same.</param>
internal sealed class SystemdNotifier(string? socket, TimeProvider time, Action<string> log)
{
    /// <summary>The listeners are open, or a reload is over.</summary>
    public void Ready(string status) => Send($"READY=1\nSTATUS={status}");

    /// <summary>The configuration is being read again; <see cref="Ready"/> ends it, whatever came of it.</summary>
    public void Reloading() => Send($"RELOADING=1\nMONOTONIC_USEC={(time.GetTimestamp() * 1_000_000.0 / time.TimestampFrequency).ToString("0", CultureInfo.InvariantCulture)}");

    /// <summary>The process drains and will end.</summary>
    public void Stopping(string status) => Send($"STOPPING=1\nSTATUS={status}");

    private void Send(string message)
    {
        if (string.IsNullOrEmpty(socket))
        {
            return;
        }

        try
        {
            using var datagrams = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);

            // An abstract name begins with a zero byte (unix(7)), which an environment variable cannot hold.
            datagrams.Connect(new UnixDomainSocketEndPoint(socket[0] == '@' ? '\0' + socket[1..] : socket));
            datagrams.Send(Encoding.UTF8.GetBytes(message));
        }
        catch (Exception unreachable) when (unreachable is SocketException or ArgumentOutOfRangeException)
        {
            log($"systemd cannot be told {message.Split('\n')[0]} at {socket}: {unreachable.Message}");
        }
    }
}
