using System.Net;
using System.Net.Sockets;
using Tidegate.Host.Commands;
using Xunit;

namespace Tidegate.EndToEndTests.Processes;

/// <summary>A process that cannot start says why in one line, and its exit code says it to scripts.</summary>
public sealed class StartFailureTests : IDisposable
{
    private const string Listeners = "listeners: { ingress: { address: 127.0.0.1:0 }, admin: { address: off } }\n";

    private readonly RunningGateway _gateway = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("listeners: { ingress: { address: 127.0.0.1:0 }\nadmin: [", "{file}:1:46 error: this is not YAML from here on; is a bracket or a quote missing?")]
    [InlineData("listeners:\n  ingress: {}\n admin: {}", "{file}:3:2 error: this is not YAML: While parsing a block mapping, did not find expected key.")]
    [InlineData("", "{file}:1:1 error: the file is empty; 'tidegate init' writes a first one")]
    [InlineData("listeners: { ingress: { address: nowhere } }", "{file}:1:34 error: 'nowhere' is no address; write IP and port, for example 127.0.0.1:8080 or [::]:8443")]
    [InlineData("include: more.yaml\n" + Listeners, "{file}:1:10 error: '{directory}/more.yaml' cannot be read: there is no such file")]
    [InlineData(Listeners + "recording: { access_log: { path: no/such/directory/access.log } }", "The access log cannot be opened: Could not find a part of the path '{directory}/no/such/directory/access.log'. Set recording.access_log.path to a file that can be written, to stdout or to off.")]
    [InlineData(Listeners + "recording: { access_log: { path: . } }", "The access log cannot be opened: Access to the path '{directory}' is denied. Set recording.access_log.path to a file that can be written, to stdout or to off.")]
    public async Task A_file_that_cannot_be_used_is_one_exact_line_and_exit_code_1(string yaml, string expected)
    {
        var process = _gateway.Start(yaml);

        Assert.Equal(ExitCode.Configuration, await process.ExitCodeAsync(Cancellation));
        Assert.Equal(expected.Replace("{file}", _gateway.File, StringComparison.Ordinal).Replace("{directory}", Path.GetDirectoryName(_gateway.File), StringComparison.Ordinal), Assert.Single(process.Lines));
    }

    [Theory]
    [InlineData(false, "there is no such file")]
    [InlineData(true, "it is a directory")]
    public async Task A_file_that_cannot_be_read_is_one_exact_line_and_exit_code_1(bool isDirectory, string reason)
    {
        if (isDirectory)
        {
            Directory.CreateDirectory(_gateway.File);
        }

        var process = _gateway.Start();

        Assert.Equal(ExitCode.Configuration, await process.ExitCodeAsync(Cancellation));
        Assert.Equal($"{_gateway.File}:1:1 error: '{_gateway.File}' cannot be read: {reason}", Assert.Single(process.Lines));
    }

    [Theory]
    [InlineData("ingress")]
    [InlineData("admin")]
    public async Task A_port_in_use_is_one_exact_line_and_exit_code_3(string listener)
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        var process = _gateway.Start($"listeners: {{ ingress: {{ address: 127.0.0.1:{(listener == "ingress" ? port : 0)} }}, admin: {{ address: 127.0.0.1:{(listener == "admin" ? port : 0)} }} }}");

        Assert.Equal(ExitCode.CannotListen, await process.ExitCodeAsync(Cancellation));
        Assert.Equal($"{listener} cannot listen on 127.0.0.1:{port}: the address is in use. Set listeners.{listener}.address to another one{(listener == "admin" ? ", or to off." : ".")}", Assert.Single(process.Lines));
    }

    public void Dispose() => _gateway.Dispose();
}
