using System.Net.Sockets;
using System.Text;
using Tidegate.Host;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>sd_notify over a real datagram socket.</summary>
public sealed class SystemdNotifierTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tidegate-test-");
    private readonly List<string> _log = [];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Systemd_learns_every_state_at_a_path_or_an_abstract_name(bool isAbstract)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Abstract sockets and sd_notify are Linux's.");
        var name = isAbstract ? "@" + _directory.Name : Path.Combine(_directory.FullName, "notify");
        using var systemd = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        systemd.Bind(new UnixDomainSocketEndPoint(isAbstract ? '\0' + name[1..] : name));
        var notifier = new SystemdNotifier(name, TimeProvider.System, _log.Add);

        notifier.Ready("2 listeners");
        notifier.Reloading();
        notifier.Stopping("draining");

        Assert.Equal("READY=1\nSTATUS=2 listeners", await ReceiveAsync(systemd));
        Assert.Matches("^RELOADING=1\nMONOTONIC_USEC=[0-9]+$", await ReceiveAsync(systemd));
        Assert.Equal("STOPPING=1\nSTATUS=draining", await ReceiveAsync(systemd));
        Assert.Empty(_log);
    }

    [Fact]
    public void Without_a_socket_it_is_silent_and_with_a_dead_one_it_says_so()
    {
        new SystemdNotifier(null, TimeProvider.System, _log.Add).Ready("x");
        Assert.Empty(_log);

        new SystemdNotifier(Path.Combine(_directory.FullName, "nobody"), TimeProvider.System, _log.Add).Ready("x");
        new SystemdNotifier("/" + new string('x', 200), TimeProvider.System, _log.Add).Ready("x");
        Assert.Equal(2, _log.Count);
        Assert.All(_log, line => Assert.StartsWith("systemd cannot be told READY=1", line, StringComparison.Ordinal));
    }

    public void Dispose() => _directory.Delete(recursive: true);

    private static async Task<string> ReceiveAsync(Socket socket)
    {
        var buffer = new byte[4096];
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        return Encoding.UTF8.GetString(buffer, 0, await socket.ReceiveAsync(buffer, patience.Token));
    }
}
