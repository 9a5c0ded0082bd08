using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Policies.Credential;
using Tidegate.Tests.Exchanges;
using Xunit;

namespace Tidegate.Tests.Policies.Credential;

public sealed class CredentialPolicyTests
{
    [Fact]
    public async Task Whatever_the_client_sends_in_that_field_only_the_credential_goes_on()
    {
        var exchange = TestExchange.Of(Direction.Egress, ("x-provider-KEY", "client's"), ("Accept", "*/*"), ("X_Provider_Key", "client's"), ("X-Provider_Key", "client's"), ("X-Provider-Keys", "another field"));

        await new CredentialPolicy("X-Provider-Key", "secr\u00e9t").InvokeAsync(exchange, _ => default);

        Assert.Equal(["Accept: */*", "X-Provider-Keys: another field", "X-Provider-Key: secr\u00e9t"], TestExchange.Lines(exchange.RequestHeaders));
    }

    [Theory]
    [InlineData(true, "http", "credential_needs_tls")]
    [InlineData(true, "https", null)]
    [InlineData(false, "http", null)]
    public async Task It_crosses_the_network_in_the_clear_only_where_the_configuration_chose_the_destination(bool requiresTls, string scheme, string? refusal)
    {
        var exchange = TestExchange.Of(Direction.Egress);
        exchange.Target = new ExchangeTarget(scheme, "api.test", 80, "/", null);
        var passed = false;

        await new CredentialPolicy("Authorization", "Bearer s", requiresTls).InvokeAsync(exchange, _ =>
        {
            passed = true;
            return default;
        });

        Assert.Equal((refusal, refusal is null), (exchange.Rejection?.Code, passed));
        Assert.Equal(passed ? 1 : 0, exchange.RequestHeaders.Count);
    }

    [Fact]
    public async Task Into_a_tunnel_nothing_is_put()
    {
        var exchange = TestExchange.Of(Direction.Egress, ("Authorization", "client's"));
        exchange.IsTunnel = true;

        await new CredentialPolicy("Authorization", "Bearer s", requiresTls: true).InvokeAsync(exchange, _ => default);

        Assert.Equal(["Authorization: client's"], TestExchange.Lines(exchange.RequestHeaders));
    }

    [Theory]
    [InlineData(200, "")]
    [InlineData(404, "")]
    [InlineData(500, "")]
    [InlineData(401, "401")]
    [InlineData(403, "403")]
    [InlineData(429, "429")]
    public async Task It_is_noted_how_the_provider_takes_it(int status, string cause)
    {
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 11, 26, 12, 0, 0, TimeSpan.Zero));
        var healths = new KeyHealths(time);
        var health = healths.Keep(healths.Of("api", new ProviderKey("", 17)));
        time.Advance(TimeSpan.FromMinutes(1));
        await new CredentialPolicy("Authorization", "Bearer s", health: health).InvokeAsync(TestExchange.Of(Direction.Egress), exchange =>
        {
            exchange.Answer(Outcome.Forwarded, status);
            return default;
        });

        Assert.Equal((cause, cause.Length == 0 ? 1 : 0, cause.Length == 0 ? 0 : 1), (health.Cause, health.Passed, health.Refused));
        Assert.Equal(cause.Length == 0 ? null : time.GetUtcNow(), health.LastRefused);
        Assert.Equal(time.GetUtcNow().AddMinutes(-1), health.InForceSince);
        Assert.Same(health, healths.Of("api", new ProviderKey("", 17)));
        Assert.NotSame(health, healths.Of("api", new ProviderKey("", 18)));
    }

    [Fact]
    public void Its_explanation_does_not_show_it() =>
        Assert.Equal("sets Authorization (value hidden)", new CredentialPolicy("Authorization", "Bearer s").Explain(TestExchange.Of(Direction.Egress)).Summary);
}
