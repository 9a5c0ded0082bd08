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
    [InlineData("hosts: [api.stripe.com]", "rate endpoint files search", "learns from stripe's answers for each credential, queues up to 10 s")]
    [InlineData("hosts: [api.stripe.com], credential: { header: Authorization, value: \"${env:KEY}\" }", "rate endpoint files search", "learns from stripe's answers, queues up to 10 s")]
    [InlineData("hosts: [other.test], provider: stripe", "rate endpoint files search", "learns from stripe's answers")]
    [InlineData("hosts: [api.stripe.com], limits: [{ rate: 5/s, name: mine }]", "mine", "learns from stripe's answers for each credential")]
    [InlineData("hosts: [api.github.com], learn: observe", "rate concurrency points graphql_points content content_hour", "learns from github's answers for each credential, queues up to 10 s, observe")]
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
    [InlineData("name: x\nlimits: [{ rate: 0/s, source: s, as_of: a, confidence: low }]", "pack.yaml:2:18 error: '0/s' is no rate")]
    [InlineData("name: x\nlimits: [{ source: s, as_of: a, confidence: low }]", "pack.yaml:2:10 error: a limit has exactly one of rate, quota and concurrency")]
    [InlineData("name: x\nlimits: [{ rate: 5/s, quota: 5/day, source: s, as_of: a, confidence: low }]", "pack.yaml:2:10 error: a limit has exactly one of rate, quota and concurrency")]
    [InlineData("name: x\nlimits: [{ quota: 5/fortnight, source: s, as_of: a, confidence: low }]", "pack.yaml:2:19 error: '5/fortnight' is no quota")]
    [InlineData("name: x\nlimits: [{ quota: 5/day, time_zone: Mars/Olympus, source: s, as_of: a, confidence: low }]", "pack.yaml:2:37 error: there is no time zone 'Mars/Olympus'")]
    [InlineData("name: x\nlimits: [{ rate: 5/s, path: [/a, /b*], source: s, as_of: a, confidence: low }]", "pack.yaml:2:34 error: '/b*' does not match what it seems to")]
    [InlineData("name: x\nlimits: [{ rate: 5/s, except_path: a, source: s, as_of: a, confidence: low }]", "pack.yaml:2:36 error: 'a' must start with '/'")]
    [InlineData("name: x\nlimits: [{ rate: 5/s, methods: [get], source: s, as_of: a, confidence: low }]", "pack.yaml:2:33 error: 'get' is no method")]
    [InlineData("name: x\nlimits: [{ rate: 5/s, path: ['/{a}', '/b/{a}'], per: 'path:a', source: s, as_of: a, confidence: low }]", "pack.yaml:2:54 error: 'path:a' needs a {a} in the limit's path")]
    [InlineData("name: x\nlimits: [{ rate: 5/s, per: [credential], source: s, as_of: a, confidence: low }]", "pack.yaml:2:29 error: credential tells an API's own keys apart")]
    [InlineData("name: x\nlimits: [{ rate: 5/s, cost: { points: 2 }, source: s, as_of: a, confidence: low }]", "pack.yaml:2:29 error: cost belongs to a limit of points")]
    [InlineData("name: x\nlimits: [{ rate: 5 points/s, cost: { by_method: [{ methods: [POST], points: 6 }] }, source: s, as_of: a, confidence: low }]", "error: no such request would ever pass: it costs 6")]
    [InlineData("name: x\nlimits: [{ rate: 5 points/s, cost: { response_json: usage }, source: s, as_of: a, confidence: low }]", "error: 'usage' is no JSON pointer")]
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
    public async Task A_providers_limits_are_written_as_an_apis_are()
    {
        File.WriteAllText(Path.Combine(_directory, "acme.yaml"), """
            name: acme
            hosts: [api.acme.example]
            limits:
              - { name: month, quota: 10000/month, time_zone: Europe/Berlin, reset_day: 15, source: "https://a.test", as_of: "2026-11-27", confidence: low }
              - { name: points, rate: 100 points/s, burst: 1000, path: /v1/graphql, methods: [POST], cost: { points: 50, response_json: /cost/actual, by_method: [{ methods: [GET], points: 1 }] }, source: "https://a.test", as_of: "2026-11-27", confidence: low }
              - { name: each, rate: 5/s, path: "/v1/{resource}/**", except_path: /v1/graphql, per: [method, "path:resource"], source: "https://a.test", as_of: "2026-11-27", confidence: low }
            """);

        var limits = Assert.Single((await CompileAsync("providers: acme.yaml\nlisteners: { egress: { address: 127.0.0.1:0 } }\napis: [{ name: a, direction: egress, hosts: [api.acme.example] }]")).Snapshot.Plans[0].Pipeline.Policies.OfType<LimitsPolicy>()).Limits;

        Assert.Equal(
            ["month: 10000/month Quota", "points: 100 points/s for POST /v1/graphql TokenBucket", "each: 5/s for /v1/{resource}/** except /v1/graphql Rate per method, path:resource"],
            limits.Select(limit => $"{limit.Settings.Name}: {limit.Settings.Text} {limit.Settings.Kind}" + (limit.Settings.Per.Count > 0 ? " per " + string.Join(", ", limit.Settings.Per.Select(part => part.Text)) : "")));
        Assert.Equal((15, "Europe/Berlin"), (limits[0].Settings.Calendar!.ResetDay, limits[0].Settings.Calendar!.Zone.Id));
        Assert.Equal((50, 1, "/cost/actual"), (limits[1].Settings.Cost.Of("POST"), limits[1].Settings.Cost.Of("GET"), limits[1].Settings.Cost.ResponseJson!.Text));
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
