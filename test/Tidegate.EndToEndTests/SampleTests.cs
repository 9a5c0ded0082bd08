using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Tidegate.Configuration;
using Tidegate.Edge.Interception;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests;

/// <summary>Every sample runs, and the calls in its comments get what the comments say. What the calls would reach in real life is an echo on loopback here.</summary>
public sealed partial class SampleTests : IDisposable
{
    private static readonly string Repository = FindRepository();

    private readonly TestCertificates _directory = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string> Samples() => [.. Directory.GetFiles(Path.Combine(Repository, "samples"), "*.yaml").Select(file => Path.GetFileName(file)).Order()];

    [Theory]
    [MemberData(nameof(Samples))]
    public async Task The_calls_of_a_sample_get_what_its_comments_say(string sample)
    {
        var text = await File.ReadAllTextAsync(Path.Combine(Repository, "samples", sample), Cancellation);
        var promises = Promises().Matches(text);
        Assert.True(promises.Count >= 5, "A sample shows at least five calls.");
        var environment = Exports().Matches(text).SelectMany(line => line.Groups[1].Value.Split(' ')).Select(pair => pair.Split('=')).ToDictionary(pair => pair[0], pair => pair[1]);
        Prepare(sample, text);
        await using var first = await EchoUpstream.StartAsync();
        await using var second = await EchoUpstream.StartAsync();
        var loaded = ConfigurationLoader.Load(Path.Combine(_directory.Directory, "samples", sample), environment.GetValueOrDefault);
        Assert.Empty(loaded.Problems);
        using var certificate = _directory.Create("upstream", ["localhost", .. loaded.Config!.Apis.SelectMany(api => api.Hosts)]);
        await using var thirdParty = await EchoUpstream.StartAsync(certificate);
        await using var gateway = await TestGateway.StartAsync(loaded with { Config = OnLoopback(loaded.Config, thirdParty.Port, [first.Port, second.Port]) }, Cancellation);

        var destinations = new List<string>();
        var recorded = 0;
        for (var i = 0; i < promises.Count; i++)
        {
            var (command, expected) = (promises[i].Groups["command"].Value.Trim(), (promises[i].Groups["status"].Value, promises[i].Groups["code"].Value));
            var output = await CurlAsync(Localised(command, loaded.Config!, gateway, thirdParty.Port), environment);
            if (IsOfAdmin(command))
            {
                // It makes no records.
                Assert.True(expected.Item1 == output.Split(' ')[^3] && output.Contains(expected.Item2, StringComparison.Ordinal), $"{command}\nexpected {expected}\nprinted {output}");
                continue;
            }

            var record = (await gateway.RecordsAsync(++recorded, Cancellation))[recorded - 1];

            Assert.True(expected == (record.Status.ToString(CultureInfo.InvariantCulture), record.Code), $"{command}\nexpected {expected}\nrecorded {record}\nprinted {output}");
            Assert.Equal(expected.Item1, output.Split(' ') is [.., var status, "connect", var connect] && status == "000" ? connect : output.Split(' ')[^3]);
            var words = promises[i].Groups["words"].Value;
            Assert.True(words.Contains("from the cache", StringComparison.Ordinal) == (record.Outcome == Outcome.ServedFromCache), $"{command}\nis {record.Outcome}, and the comment says:{words}");
            Assert.True(words.Contains("would have been a hit", StringComparison.Ordinal) == (record.Cache == CacheResult.WouldHit), $"{command}\nis {record.Cache}, and the comment says:{words}");
            Assert.DoesNotContain(loaded.Config!.Consumers.SelectMany(consumer => consumer.Credentials), credential => output.Contains(credential.ApiKey.Value, StringComparison.Ordinal));
            if (record is { Status: 200, Method: not "CONNECT" } && loaded.Config.Apis.First(api => api.Name == record.Api).Credential is { } credential)
            {
                Assert.Contains(CredentialCompiler.Values(credential), value => output.Contains("key=" + value, StringComparison.Ordinal));
            }

            destinations.Add(record.Destination);
        }

        // Where an API has two instances, the calls saw both.
        if (loaded.Config!.Apis.Any(api => api.Direction == Direction.Ingress && api.Upstream?.Destinations.Count > 1))
        {
            Assert.Superset(new HashSet<string> { $"http://127.0.0.1:{first.Port}", $"http://127.0.0.1:{second.Port}" }, destinations.ToHashSet());
        }
    }

    [Fact]
    public void Samples_show_a_store_that_is_a_database_and_people_who_sign_in()
    {
        var configs = Samples().Select(sample => ConfigurationLoader.Load(Path.Combine(Repository, "samples", sample.Data), name => name.StartsWith("TIDEGATE_SECRET_", StringComparison.Ordinal) ? "a-secret-of-the-samples" : null).Config).ToList();
        Assert.Contains(configs, config => config?.Recording.Store.Postgresql is not null);
        Assert.Contains(configs, config => config?.Listeners.Admin?.SignIn is { Users.Count: > 1 });
    }

    public void Dispose() => _directory.Dispose();

    /// <summary>The files that the commands above the calls would have made.</summary>
    private void Prepare(string sample, string text)
    {
        var samples = Path.Combine(_directory.Directory, "samples");
        Directory.CreateDirectory(Path.Combine(samples, "certs"));
        File.WriteAllText(Path.Combine(samples, sample), text);
        foreach (var name in Certificates().Matches(text).Select(match => match.Groups[1].Value).Distinct())
        {
            _directory.Create(name, name).Dispose();
            File.Move(Path.Combine(_directory.Directory, name + ".pem"), Path.Combine(samples, "certs", name + ".pem"));
            File.Move(Path.Combine(_directory.Directory, name + ".key"), Path.Combine(samples, "certs", name + ".key"));
        }

        if (text.Contains("providers: providers/", StringComparison.Ordinal))
        {
            Directory.CreateDirectory(Path.Combine(samples, "providers"));
            foreach (var file in Directory.GetFiles(Path.Combine(Repository, "samples", "providers")))
            {
                File.Copy(file, Path.Combine(samples, "providers", Path.GetFileName(file)));
            }
        }

        if (text.Contains("intercept: true", StringComparison.Ordinal))
        {
            CertificateAuthority.Create(CertificateAuthority.In(Path.Combine(samples, ".tidegate")), TimeProvider.System).Dispose();
        }
    }

    /// <summary>The same configuration with free ports, and with echoes in place of what is somewhere else. Only the access log is off.</summary>
    private GatewayConfig OnLoopback(GatewayConfig config, int thirdPartyPort, IReadOnlyList<int> instances) => config with
    {
        Listeners = config.Listeners with
        {
            Egress = config.Listeners.Egress is { } egress ? egress with { Address = "127.0.0.1:0" } : null,
            Admin = config.Listeners.Admin is { } admin ? admin with { Address = "127.0.0.1:0" } : null,
            Ingress = config.Listeners.Ingress is { } ingress ? ingress with { Address = "127.0.0.1:0" } : null,
        },
        Apis =
        [
            .. config.Apis.Select(api => api.Direction == Direction.Ingress
                ? api with { Upstream = api.Upstream! with { Destinations = [.. api.Upstream.Destinations.Select((_, i) => new DestinationConfig { Url = $"http://127.0.0.1:{instances[i]}" })] } }
                : api with
                {
                    // A tunnel goes where its CONNECT says: to localhost, in these tests, which only one API can have.
                    Hosts = [.. api.Hosts, .. api == config.Apis.FirstOrDefault(IsCarried) ? (string[])["localhost"] : []],
                    Upstream = new UpstreamConfig { Destinations = [new DestinationConfig { Url = $"https://127.0.0.1:{thirdPartyPort}" }], Tls = new UpstreamTlsConfig { Authority = Path.Combine(_directory.Directory, "upstream.pem") } },
                }),
        ],
        Recording = new RecordingConfig { AccessLog = new AccessLogConfig { Path = "off" } },
    };

    private static bool IsOfAdmin(string command) => command.Contains(AdminListenerConfig.DefaultAddress, StringComparison.Ordinal);

    private static bool IsCarried(ApiConfig api) => api.Direction == Direction.Egress && (api.Tunnel == TunnelMode.Verified || api is { Tunnel: null, Credential: null, Access: null });

    private static string Localised(string command, GatewayConfig config, TestGateway gateway, int thirdPartyPort)
    {
        foreach (var host in config.Apis.Where(IsCarried).SelectMany(api => api.Hosts))
        {
            command = command.Replace($"https://{host}/", $"https://localhost:{thirdPartyPort}/", StringComparison.Ordinal);
        }

        foreach (var (listener, address) in ((string, string?)[])[("egress", config.Listeners.Egress?.Address), ("ingress", config.Listeners.Ingress?.Address)])
        {
            command = address is null ? command : command.Replace(address[address.IndexOf(':', StringComparison.Ordinal)..], $":{gateway[listener].Port}", StringComparison.Ordinal);
        }

        return command.Replace(AdminListenerConfig.DefaultAddress, gateway["admin"].ToString(), StringComparison.Ordinal);
    }

    /// <summary>What curl printed, then the status that it saw, then that of its CONNECT.</summary>
    private async Task<string> CurlAsync(string command, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo("bash", ["-c", command + " -sS --max-time 60 -w ' %{http_code} connect %{http_connect}'"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _directory.Directory,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        // Where a command names no root of its own, it would trust the system's.
        start.Environment["CURL_CA_BUNDLE"] = Path.Combine(_directory.Directory, "upstream.pem");
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync(Cancellation);
        var output = await process.StandardOutput.ReadToEndAsync(Cancellation);
        await process.WaitForExitAsync(Cancellation);
        return $"{await error}{output}";
    }

    private static string FindRepository()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "tidegate.slnx")))
        {
            directory = directory.Parent;
        }

        return directory.FullName;
    }

    /// <summary><c># curl ... # 403 consumer_not_allowed: words</c>.</summary>
    [GeneratedRegex(@"^#\s+(?<command>curl .*?)\s+# (?<status>\d{3})(?: (?<code>[a-z]+_[a-z_]+))?(?<words>.*)$", RegexOptions.Multiline)]
    private static partial Regex Promises();

    [GeneratedRegex(@"^#\s+export (.+)$", RegexOptions.Multiline)]
    private static partial Regex Exports();

    [GeneratedRegex(@"certificate: certs/([a-z.]+)\.pem")]
    private static partial Regex Certificates();
}
