using System.Net;
using System.Net.Sockets;
using System.Text;
using Tidegate.Host.Commands;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary><c>tidegate run</c> as its supervisor sees it: signals, exit codes, sd_notify.</summary>
public sealed class RunProcessTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tidegate-test-");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Sigterm_waits_for_an_exchange_in_flight_and_exits_with_0()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Signals are sent with kill.");
        await using var upstream = await EchoUpstream.StartAsync();
        using var tidegate = TidegateProcess.Start(["run", "--config", Configuration(upstream.Port)]);
        var address = (await tidegate.LineAsync(line => line.StartsWith("ingress listens on", StringComparison.Ordinal), Cancellation)).Split(' ')[^1];
        using var client = new HttpClient();
        upstream.NextEvent.Release();
        using var answer = await client.GetAsync($"http://{address}/events", HttpCompletionOption.ResponseHeadersRead, Cancellation);

        await tidegate.SignalAsync("TERM", Cancellation);
        await tidegate.LineAsync(line => line.StartsWith("Draining", StringComparison.Ordinal), Cancellation);

        // Longer than any grace that a library might impose on a process that was told to end.
        await Task.Delay(TimeSpan.FromSeconds(3), Cancellation);
        upstream.NextEvent.Release(2);

        Assert.Equal("data: 1\n\ndata: 2\n\ndata: 3\n\n", await answer.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal(ExitCode.Success, await tidegate.ExitCodeAsync(Cancellation));
    }

    [Fact]
    public async Task Systemd_is_told_of_start_reload_and_end()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "sd_notify is Linux's.");
        var name = Path.Combine(_directory.FullName, "notify");
        using var systemd = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        systemd.Bind(new UnixDomainSocketEndPoint(name));
        using var tidegate = TidegateProcess.Start(["run", "--config", Configuration(1)], ("NOTIFY_SOCKET", name));

        Assert.StartsWith("READY=1", await ReceiveAsync(systemd), StringComparison.Ordinal);
        await tidegate.SignalAsync("HUP", Cancellation);
        Assert.StartsWith("RELOADING=1\nMONOTONIC_USEC=", await ReceiveAsync(systemd), StringComparison.Ordinal);
        Assert.Equal("READY=1\nSTATUS=Serving, version 2 of the configuration.", await ReceiveAsync(systemd));
        await tidegate.SignalAsync("TERM", Cancellation);
        Assert.StartsWith("STOPPING=1", await ReceiveAsync(systemd), StringComparison.Ordinal);
        Assert.Equal(ExitCode.Success, await tidegate.ExitCodeAsync(Cancellation));
    }

    [Theory]
    [InlineData("", "Connections run on [0-9]+ reactors")]
    [InlineData("sockets", "Connections run on the runtime's sockets")]
    public async Task The_log_says_what_carries_the_connections(string choice, string expected)
    {
        Assert.SkipUnless(Tidegate.Transport.ReactorTransport.IsSupported, "There is only one transport here.");
        using var tidegate = TidegateProcess.Start(["run", "--config", Configuration(1)], ("TIDEGATE_TRANSPORT", choice));

        Assert.Matches(expected, await tidegate.LineAsync(line => line.StartsWith("Connections run", StringComparison.Ordinal), Cancellation));
        await tidegate.SignalAsync("TERM", Cancellation);
        Assert.Equal(ExitCode.Success, await tidegate.ExitCodeAsync(Cancellation));
    }

    [Theory]
    [InlineData("TIDEGATE_TRANSPORT", false)]
    [InlineData("TIDEGATE_UPSTREAM_CLIENT", false)]
    [InlineData("TIDEGATE_TRANSPORT", true)]
    [InlineData("TIDEGATE_UPSTREAM_CLIENT", true)]
    public async Task A_choice_that_does_not_exist_is_one_line_and_exit_code_1(string variable, bool isDemo)
    {
        using var tidegate = TidegateProcess.Start(isDemo ? ["demo", "--port-offset", "3000"] : ["run", "--config", Configuration(1)], (variable, "carrier_pigeon"));

        Assert.Equal(ExitCode.Configuration, await tidegate.ExitCodeAsync(Cancellation));
        Assert.Contains($"{variable} can be ", Assert.Single(tidegate.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_in_use_is_one_line_and_exit_code_3()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        using var tidegate = TidegateProcess.Start(["run", "--config", Configuration(1, taken.LocalEndpoint.ToString()!)]);

        Assert.Equal(ExitCode.CannotListen, await tidegate.ExitCodeAsync(Cancellation));
        Assert.Contains(taken.LocalEndpoint.ToString()!, Assert.Single(tidegate.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bad_file_is_its_problems_and_exit_code_1()
    {
        var file = Path.Combine(_directory.FullName, "tidegate.yaml");
        await File.WriteAllTextAsync(file, "listenrs: {}", Cancellation);
        using var tidegate = TidegateProcess.Start(["run", "--config", file]);

        Assert.Equal(ExitCode.Configuration, await tidegate.ExitCodeAsync(Cancellation));
        Assert.Contains(tidegate.Lines, line => line == $"{file}:1:1 error: unknown key 'listenrs', did you mean 'listeners'?");
    }

    public void Dispose() => _directory.Delete(recursive: true);

    private string Configuration(int upstreamPort, string address = "127.0.0.1:0")
    {
        var file = Path.Combine(_directory.FullName, "tidegate.yaml");
        File.WriteAllText(file, $$"""
            listeners: { ingress: { address: "{{address}}" }, admin: { address: off } }
            apis: [{ name: api, direction: ingress, upstream: { destinations: ["http://127.0.0.1:{{upstreamPort}}"] } }]
            """);
        return file;
    }

    private static async Task<string> ReceiveAsync(Socket socket)
    {
        var buffer = new byte[4096];
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        return Encoding.UTF8.GetString(buffer, 0, await socket.ReceiveAsync(buffer, patience.Token));
    }
}
