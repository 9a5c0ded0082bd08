using Microsoft.Extensions.Time.Testing;
using Tidegate.Configuration;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Policies.Credential;
using Xunit;

namespace Tidegate.Tests.Configuration;

/// <summary>Compiling a configuration is not yet putting it in force.</summary>
public sealed class RefusedReloadTests
{
    [Theory]
    [InlineData("limits: [{ rate: nonsense }]", false)]
    [InlineData("", false)]
    [InlineData("", true)]
    public async Task A_refused_reload_leaves_what_is_known_of_keys_and_hedges_alone(string mistake, bool takesEffect)
    {
        await using var forwarder = new Forwarder(TimeProvider.System);
        var services = new CompilerServices(forwarder, new FakeTimeProvider());
        Compile(services, "one", "p95", "")!.TakeEffect();
        var known = services.Keys.All.Single(key => key.Key.Name == "a");
        known.Refuse(KeyRefusal.NotAccepted, "401", wait: null, TimeSpan.FromMinutes(1), sent: 0);

        var compiled = Compile(services, "another", "p50", mistake);
        Assert.Equal(mistake.Length == 0, compiled is not null);
        if (takesEffect)
        {
            compiled!.TakeEffect();
        }

        var now = services.Keys.All.Single(key => key.Key.Name == "a");
        Assert.Equal(!takesEffect, ReferenceEquals(known, now));
        Assert.Equal(takesEffect ? 0 : 60, now.SetAsideSeconds());
        Assert.Equal(takesEffect ? 0.5 : 0.95, services.Hedges.Of("api", "").Settings!.Percentile);
    }

    [Fact]
    public async Task The_routes_of_an_api_share_what_is_known_of_its_keys_from_the_first_moment()
    {
        await using var forwarder = new Forwarder(TimeProvider.System);
        var services = new CompilerServices(forwarder, TimeProvider.System);
        var compiled = Compile(services, "one", "p95", "endpoints: [{ match: { path: /x } }]")!;
        compiled.TakeEffect();

        foreach (var plan in compiled.Snapshot.Plans)
        {
            var exchange = Exchanges.TestExchange.Of(Direction.Egress);
            exchange.Target = new ExchangeTarget("https", "a.test", 443, "/", null);
            await plan.Pipeline.Policies.Single(policy => policy.Name == "credential").InvokeAsync(exchange, sent =>
            {
                sent.Answer(Outcome.Forwarded, 401);
                return default;
            });
        }

        Assert.Equal([1, 1], services.Keys.All.OrderBy(key => key.Key.Name).Select(key => key.Refused));
    }

    private static CompiledConfiguration? Compile(CompilerServices services, string value, string after, string more)
    {
        var loaded = ConfigurationLoader.LoadText(
            $$"""
            listeners: { egress: { address: 127.0.0.1:8080 } }
            apis:
              - name: api
                direction: egress
                hosts: [a.test]
                credential: { header: Authorization, keys: [{ name: a, value: "{{value}} ${env:SHORT}" }, { name: b, value: "other ${env:SHORT}" }] }
                hedge: { after: {{after}} }
                {{more}}
            """,
            "t.yaml",
            _ => "hunter2");
        return SnapshotCompiler.Compile(loaded, services).Compiled;
    }
}
