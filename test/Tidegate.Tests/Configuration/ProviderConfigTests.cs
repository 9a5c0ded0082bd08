using Tidegate.Configuration;
using Tidegate.Forwarding;
using Tidegate.Policies;
using Tidegate.Policies.Limits;
using Xunit;

namespace Tidegate.Tests.Configuration;

/// <summary>From the configuration to the limits that a provider's file brings, and to what is read from its answers.</summary>
public sealed class ProviderConfigTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("tidegate-providers").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("hosts: [a.test], provider: strype", "there is no provider 'strype', did you mean 'stripe'?")]
    [InlineData("hosts: [a.test], provider: nonsense", "there is no provider 'nonsense'; known are anthropic, azure-openai,")]
    [InlineData("hosts: [a.test], learn: maybe", "'learn' is 'maybe'; expected on, off, observe")]
    public async Task What_is_not_known_is_an_error_that_says_what_is(string api, string expected) =>
        Assert.Contains(expected, Assert.Single(await CheckTests.ProblemsAsync(Egress(api))), StringComparison.Ordinal);

    [Fact]
    public async Task Our_own_services_are_no_providers() => Assert.Contains(
        "provider and learn are for egress APIs",
        Assert.Single(await CheckTests.ProblemsAsync("listeners: { ingress: { address: 127.0.0.1:0 } }\napis: [{ name: x, direction: ingress, provider: stripe, upstream: { destinations: [http://127.0.0.1:1] } }]")),
        StringComparison.Ordinal);

    [Theory]
    [InlineData("hosts: [api.stripe.com]", "rate", "learns from stripe's answers for each credential, queues up to 10 s")]
    [InlineData("hosts: [api.stripe.com], credential: { header: Authorization, value: \"${env:KEY}\" }", "rate", "learns from stripe's answers, queues up to 10 s")]
    [InlineData("hosts: [other.test], provider: stripe", "rate", "learns from stripe's answers")]
    [InlineData("hosts: [api.stripe.com], limits: [{ rate: 5/s, name: mine }]", "mine", "learns from stripe's answers for each credential")]
    [InlineData("hosts: [api.github.com], learn: observe", "rate concurrency", "learns from github's answers for each credential, queues up to 10 s, observe")]
    [InlineData("hosts: [shop.myshopify.com]", "", "learns from shopify's answers")]
    [InlineData("hosts: [a.test], limits: [{ rate: 5/s }]", "rate", "learns from answers for each credential")]
    [InlineData("hosts: [a.test], learn: on", "", "learns from answers for each credential")]
    [InlineData("hosts: [api.stripe.com], provider: none, limits: [{ rate: 5/s, name: mine }]", "mine", "learns from answers for each credential")]
    public async Task An_api_is_the_providers_that_lists_its_host_and_has_its_limits_unless_it_has_its_own(string api, string limits, string explained)
    {
        var policy = Assert.Single((await CompileAsync(Egress(api))).Snapshot.Plans[0].Pipeline.Policies.OfType<LimitsPolicy>());

        Assert.Equal(PolicyStage.Attempt, policy.Stage);
        Assert.Equal(limits, string.Join(' ', policy.Limits.Select(limit => limit.Settings.Name)));
        Assert.Contains(explained, policy.Explain(Exchanges.Call()).Summary, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hosts: [a.test]")]
    [InlineData("hosts: [api.stripe.com], provider: none")]
    [InlineData("hosts: [api.stripe.com], learn: off")]
    public async Task Plain_forwarding_stays_plain(string api) =>
        Assert.Empty((await CompileAsync(Egress(api))).Snapshot.Plans[0].Pipeline.Policies.OfType<LimitsPolicy>());

    [Theory]
    [InlineData("hosts: [a.test], limits: [{ rate: 5/s }]", false)]
    [InlineData("hosts: [a.test], limits: [{ rate: 100/m }]", false)]
    [InlineData("hosts: [a.test], limits: [{ rate: 100/h }]", true)]
    [InlineData("hosts: [a.test], limits: [{ rate: 1/m, burst: 30 }]", true)]
    [InlineData("hosts: [a.test], limits: [{ quota: 100/d }]", true)]
    [InlineData("hosts: [a.test], endpoints: [{ name: e, match: { path: /e }, limits: [{ quota: 100/d }] }]", true)]
    [InlineData("hosts: [api.stripe.com]", false)]
    [InlineData("hosts: [api.github.com]", true)]
    public void Counts_that_outlive_the_process_are_kept_wherever_their_limit_was_written(string api, bool isKept) =>
        Assert.Equal(isKept, LimitCompiler.HasKept(Load(Egress(api))));

    [Fact]
    public async Task Where_one_route_of_an_api_waits_every_route_hands_on_what_it_gives_back()
    {
        var compiled = await CompileAsync(Egress("hosts: [a.test], limits: [{ concurrency: 2 }], endpoints: [{ name: waits, match: { path: /e }, limits: [{ rate: 5/s, when_exceeded: queue }] }]"));
        var queues = compiled.Snapshot.Plans.SelectMany(plan => plan.Pipeline.Policies.OfType<LimitsPolicy>()).Select(policy => policy.Queue).ToList();

        Assert.True(queues.Count >= 2);
        Assert.NotNull(queues[0]);
        Assert.All(queues, queue => Assert.Same(queues[0], queue));
    }

    [Fact]
    public async Task What_the_routes_of_an_api_share_is_one_limit()
    {
        var compiled = await CompileAsync(Egress("hosts: [a.test], limits: [{ rate: 10/s, shares: { by: environment, of: [{ value: production, guaranteed: 70% }] } }], endpoints: [{ name: e, match: { path: /e }, limits: [{ rate: 5/s }] }, { name: f, match: { path: /f } }]"));
        var limits = compiled.Snapshot.Plans.Select(plan => plan.Pipeline.Policies.OfType<LimitsPolicy>().Single().Limits[0]).ToList();

        Assert.Equal(3, limits.Count);
        Assert.All(limits, limit => Assert.Same(limits[0], limit));
    }

    [Fact]
    public async Task A_users_own_files_are_found_beside_the_configuration_and_win()
    {
        var more = Directory.CreateDirectory(Path.Combine(_directory, "more")).FullName;
        File.WriteAllText(Path.Combine(_directory, "stripe.yaml"), "name: stripe\nhosts: [api.stripe.com]\nlimits: [{ name: ours, rate: 7/s, source: 'https://a.test', as_of: '2026-11-25', confidence: low }]");
        File.WriteAllText(Path.Combine(more, "acme.yaml"), "name: acme\nhosts: ['*.acme.example']\nlimits: [{ name: plan, rate: 9/m, source: 'https://a.test', as_of: '2026-11-25', confidence: low }]");

        var compiled = await CompileAsync("""
            providers: [stripe.yaml, more]
            listeners: { egress: { address: 127.0.0.1:0 } }
            apis:
              - { name: s, direction: egress, hosts: [api.stripe.com] }
              - { name: a, direction: egress, hosts: [x.acme.example] }
            """);

        Assert.Equal(["ours 7/s", "plan 9/m"], compiled.Snapshot.Plans.Select(plan => Assert.Single(Assert.Single(plan.Pipeline.Policies.OfType<LimitsPolicy>()).Limits).Settings).Select(settings => $"{settings.Name} {settings.Text}"));
        Assert.Equal(3, compiled.Files.Count);
    }

    [Theory]
    [InlineData("name: x\nlimits: [{ rate: 0/s, source: s, as_of: a, confidence: low }]", "pack.yaml:2:18 error: a provider's limit has either a rate")]
    [InlineData("name: x\nlimits: [{ source: s, as_of: a, confidence: low }]", "pack.yaml:2:10 error: a provider's limit has either a rate")]
    [InlineData("name: x\nerrors: [{ status: 429, kind: throttel, source: s, as_of: a }]", "(did you mean 'throttle'?)")]
    [InlineData("hosts: [a.test]", "the key 'name' is missing")]
    [InlineData("name: [", "this is not YAML")]
    [InlineData("", "the file is empty")]
    public async Task A_file_with_impossible_values_is_an_error_at_its_place(string pack, string expected)
    {
        File.WriteAllText(Path.Combine(_directory, "pack.yaml"), pack);
        var problems = await ProblemsAsync("providers: pack.yaml\nlisteners: { egress: { address: 127.0.0.1:0 } }");
        Assert.Contains(expected, Assert.Single(problems), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_not_there_is_an_error_where_it_is_named()
    {
        var problem = Assert.Single(await ProblemsAsync("providers: gone.yaml\nlisteners: { egress: { address: 127.0.0.1:0 } }"));
        Assert.StartsWith(Path.Combine(_directory, "tidegate.yaml") + ":1:12 error:", problem, StringComparison.Ordinal);
        Assert.Contains("there is no such file or directory", problem, StringComparison.Ordinal);
    }

    private static string Egress(string api) => $"listeners: {{ egress: {{ address: 127.0.0.1:0 }} }}\napis: [{{ name: x, direction: egress, {api} }}]";

    private async Task<CompiledConfiguration> CompileAsync(string yaml)
    {
        await using var forwarder = new Forwarder(TimeProvider.System);
        var (compiled, problems) = SnapshotCompiler.Compile(Load(yaml), new CompilerServices(forwarder, TimeProvider.System));
        Assert.True(compiled is not null, string.Join('\n', problems));
        return compiled;
    }

    private async Task<List<string>> ProblemsAsync(string yaml)
    {
        await using var forwarder = new Forwarder(TimeProvider.System);
        return [.. SnapshotCompiler.Compile(Load(yaml), new CompilerServices(forwarder, TimeProvider.System)).Problems.Select(problem => problem.ToString())];
    }

    private LoadedConfiguration Load(string yaml) => ConfigurationLoader.LoadText(yaml, Path.Combine(_directory, "tidegate.yaml"), name => name == "KEY" ? "Bearer key" : null);

    private static class Exchanges
    {
        public static Tidegate.Exchanges.Exchange Call() => new()
        {
            Connection = new Tidegate.Exchanges.ClientConnection { PeerAddress = System.Net.IPAddress.Loopback },
            Client = null!,
            Target = new Tidegate.Exchanges.ExchangeTarget("https", "a.test", 443, "/", null),
        };
    }
}
