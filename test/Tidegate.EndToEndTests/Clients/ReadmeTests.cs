using System.Net;
using System.Text.RegularExpressions;
using Tidegate.Configuration;
using Tidegate.Host.Demo;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Clients;

/// <summary>The README's five minutes, as they are written, only on free ports.</summary>
public sealed partial class ReadmeTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_calls_to_the_demo_get_answers()
    {
        var calls = DemoCalls().Matches(await ReadmeAsync()).Select(call => call.Value).ToList();
        Assert.Equal(4, calls.Count);
        await using var log = new StringWriter();

        // Without callers, who would use up what the payment API allows.
        await using var demo = await DemoProcess.StartAsync(new DemoSettings { EgressPort = 0, IngressPort = 0, AdminPort = 0 }, TimeProvider.System, log, [], Cancellation);
        var answers = new List<string>();
        foreach (var call in calls)
        {
            var local = call.Replace("127.0.0.1:8080", demo.Egress.ToString(), StringComparison.Ordinal).Replace("127.0.0.1:8081", demo.Ingress.ToString(), StringComparison.Ordinal).Replace("127.0.0.1:9900", demo.Admin.ToString(), StringComparison.Ordinal);
            answers.Add(await ClientProgram.RunAsync("bash", ["-c", local + " -sS --max-time 60"]));
        }

        Assert.Contains("\"id\":7", Answered(answers[0], 200), StringComparison.Ordinal);
        Assert.Contains("\"amount\":1990,\"currency\":\"eur\"", Answered(answers[1], 201), StringComparison.Ordinal);
        Assert.Contains("\"orders\":[", Answered(answers[2], 200), StringComparison.Ordinal);
        Assert.StartsWith("{", answers[3], StringComparison.Ordinal);
        Assert.Equal("", log.ToString());
    }

    [Fact]
    public async Task The_file_for_ingress_is_whole_and_serves_whoever_has_the_key()
    {
        var yaml = Assert.Single(Yaml().Matches(await ReadmeAsync())).Groups[1].Value;
        await using var upstream = await EchoUpstream.StartAsync();
        var local = yaml.Replace("127.0.0.1:8081", "127.0.0.1:0", StringComparison.Ordinal).Replace("127.0.0.1:5000", $"127.0.0.1:{upstream.Port}", StringComparison.Ordinal);

        Assert.Contains("'PARTNER_KEY' is not set", Assert.Single(ConfigurationLoader.LoadText(local, "ingress.yaml", _ => null).Problems).ToString(), StringComparison.Ordinal);
        var loaded = ConfigurationLoader.LoadText(local, "ingress.yaml", name => name == "PARTNER_KEY" ? "partner-key-1" : null);
        Assert.Empty(loaded.Problems);
        var quiet = loaded.Config! with { Recording = new RecordingConfig { AccessLog = new AccessLogConfig { Path = "off" } } };
        await using var gateway = await TestGateway.StartAsync(loaded with { Config = quiet }, Cancellation);
        using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };

        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync($"http://{gateway["ingress"]}/", Cancellation)).StatusCode);
        client.DefaultRequestHeaders.Add("X-Api-Key", "partner-key-1");
        Assert.StartsWith("GET / ", await client.GetStringAsync($"http://{gateway["ingress"]}/", Cancellation), StringComparison.Ordinal);
    }

    private static string Answered(string answer, int status)
    {
        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        return answer;
    }

    private static Task<string> ReadmeAsync()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "tidegate.slnx")))
        {
            directory = directory.Parent;
        }

        return File.ReadAllTextAsync(Path.Combine(directory.FullName, "README.md"), Cancellation);
    }

    [GeneratedRegex("^curl .*(-demo-key|outcome=rejected).*$", RegexOptions.Multiline)]
    private static partial Regex DemoCalls();

    [GeneratedRegex("^```yaml\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Yaml();
}
