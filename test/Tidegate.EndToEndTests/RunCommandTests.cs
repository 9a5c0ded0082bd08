using System.CommandLine;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Tidegate.Host.Commands;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary><c>tidegate run</c> as a supervisor sees it: its lines, its signals, its exit codes.</summary>
public sealed class RunCommandTests : IDisposable
{
    private readonly TestCertificates _directory = new();
    private readonly string _file;

    public RunCommandTests() => _file = Path.Combine(_directory.Directory, "tidegate.yaml");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("admin", "admin cannot listen on 127.0.0.1:{0}: the address is in use. Set listeners.admin.address to another one, or to off.")]
    [InlineData("egress", "egress cannot listen on 127.0.0.1:{0}: the address is in use. Set listeners.egress.address to another one.")]
    public async Task A_port_in_use_is_one_exact_line_and_exit_code_3(string listener, string expected)
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        await WriteAsync($"listeners: {{ egress: {{ address: 127.0.0.1:{(listener == "egress" ? port : 0)} }}, admin: {{ address: 127.0.0.1:{(listener == "admin" ? port : 0)} }} }}");

        var (code, error) = await RunAsync();

        Assert.Equal((3, string.Format(null, expected, port)), (code, error));
    }

    [Fact]
    public async Task An_access_log_that_cannot_be_opened_is_one_line_and_exit_code_1()
    {
        await WriteAsync("listeners: { egress: { address: 127.0.0.1:0 }, admin: { address: off } }\nrecording: { access_log: { path: /no/such/directory/log } }");

        var (code, error) = await RunAsync();

        Assert.Equal(1, code);
        Assert.Equal("The access log cannot be opened: Could not find a part of the path '/no/such/directory/log'. Set recording.access_log.path to a file that can be written, to stdout or to off.", error);
    }

    [Fact]
    public async Task A_changed_file_is_put_in_force_a_bad_one_is_shown_and_sigterm_ends_with_0()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("There are no signals on Windows.");
        }

        const string Good = "listeners: { egress: { address: 127.0.0.1:0 }, admin: { address: 127.0.0.1:0 } }\nrecording: { access_log: { path: off } }\napis: [{ name: a, direction: egress, hosts: [a.test], upstream: { destinations: [https://127.0.0.1:1], tls: { verify: false } } }]\n";
        await WriteAsync(Good);
        using var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Tidegate.Host.dll"), "run", "--config", _file]) { RedirectStandardError = true })!;
        try
        {
            var admin = await ReadUntilAsync(process, "admin listens on ");
            using var client = new HttpClient();

            await WriteAsync("listeners: { egress: { adress: 127.0.0.1:0 } }");
            Assert.Contains("did you mean 'address'?", await ReadUntilAsync(process, _file + ":1:"), StringComparison.Ordinal);
            await ReadUntilAsync(process, "Not reloaded: version 1 stays in force.");
            using var bad = JsonDocument.Parse(await client.GetStringAsync($"http://{admin}/api/v1/status", Cancellation));
            var configuration = bad.RootElement.GetProperty("configuration");
            Assert.Equal((1, 1), (configuration.GetProperty("reloads_failed").GetInt32(), configuration.GetProperty("snapshot_version").GetInt32()));
            Assert.Equal(_file, configuration.GetProperty("files")[0].GetString());

            // The warning about the unverified upstream was told at the start, and is not told again.
            await WriteAsync(Good + "# changed\n");
            var next = await process.StandardError.ReadLineAsync(Cancellation);
            while (next?.StartsWith("Reactor ", StringComparison.Ordinal) == true)
            {
                // A busy machine held it up.
                next = await process.StandardError.ReadLineAsync(Cancellation);
            }

            Assert.StartsWith("Reloaded ", next, StringComparison.Ordinal);
            using var good = JsonDocument.Parse(await client.GetStringAsync($"http://{admin}/api/v1/status", Cancellation));
            Assert.True(good.RootElement.GetProperty("configuration").GetProperty("last_reload").GetProperty("ok").GetBoolean());
            Assert.Equal(1, good.RootElement.GetProperty("configuration").GetProperty("warnings").GetArrayLength());

            using var terminate = Process.Start("kill", ["-TERM", $"{process.Id}"]);
            await process.WaitForExitAsync(Cancellation).WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
            Assert.Equal(0, process.ExitCode);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }

    public void Dispose() => _directory.Dispose();

    /// <summary>In one step: whoever looks at the file meanwhile must not find it empty.</summary>
    private async Task WriteAsync(string yaml)
    {
        await File.WriteAllTextAsync(_file + ".new", yaml, Cancellation);
        File.Move(_file + ".new", _file, overwrite: true);
    }

    /// <summary>For a start that fails.</summary>
    private async Task<(int Code, string Error)> RunAsync()
    {
        using var error = new StringWriter();
        var code = await RunCommand.Create().Parse(["--config", _file]).InvokeAsync(new InvocationConfiguration { Error = error }, Cancellation).WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
        return (code, error.ToString().Trim());
    }

    /// <summary>Reads lines until one starts so, and gives what follows.</summary>
    private static async Task<string> ReadUntilAsync(Process process, string start)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        while (await process.StandardError.ReadLineAsync(patience.Token) is { } line)
        {
            if (line.StartsWith(start, StringComparison.Ordinal))
            {
                return line[start.Length..];
            }
        }

        throw new InvalidOperationException($"No line starts with '{start}'.");
    }
}
