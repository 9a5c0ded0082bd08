using System.Net;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Authentication;
using Tidegate.Tests.Exchanges;
using Xunit;

namespace Tidegate.Tests.Policies;

/// <summary>Who a caller is taken for, what is refused, and which credential fields the upstream may see.</summary>
public sealed class AuthenticationPolicyTests
{
    private const string Key = "key-of-billing";

    private static readonly Consumer Billing = new("billing", "acme", "production");

    private static readonly CredentialIndex Credentials = new([new ApiKeyCredential(Key, Billing)]);

    [Theory]
    [InlineData("Undeclared", new string[0], "anonymous", null, 0)]
    [InlineData("Undeclared", new[] { Key }, "billing", null, 0)]
    [InlineData("Undeclared", new[] { "stranger" }, "anonymous", null, 1)]
    [InlineData("Undeclared", new[] { Key, Key }, "anonymous", null, 2)]
    [InlineData("Optional", new string[0], "anonymous", null, 0)]
    [InlineData("Optional", new[] { Key }, "billing", null, 0)]
    [InlineData("Optional", new[] { "stranger" }, "anonymous", "401 credential_unknown", 0)]
    [InlineData("Optional", new[] { Key, Key }, "anonymous", "401 credential_ambiguous", 0)]
    [InlineData("Required", new string[0], "anonymous", "401 credential_missing", 0)]
    [InlineData("Required", new[] { "" }, "anonymous", "401 credential_missing", 1)]
    [InlineData("Required", new[] { Key }, "billing", null, 0)]
    [InlineData("Required", new[] { "stranger" }, "anonymous", "401 credential_unknown", 0)]
    [InlineData("Required", new[] { "stranger", Key }, "anonymous", "401 credential_ambiguous", 0)]
    public async Task Each_requirement_has_its_answer_to_each_credential(string requirement, string[] keys, string consumer, string? refusal, int keptFields)
    {
        var exchange = TestExchange.Of(Direction.Ingress, [.. keys.Select((key, i) => (i == 0 ? "X-Api-Key" : "x-api-KEY", key))]);

        var passed = await PassesAsync(new AuthenticationSettings { Requirement = Enum.Parse<CredentialRequirement>(requirement) }, exchange);

        Assert.Equal((consumer, refusal, refusal is null), (exchange.Consumer.Name, Refusal(exchange), passed));
        Assert.Equal(keptFields, exchange.RequestHeaders.Count);
    }

    [Theory]
    [InlineData("Basic", ":" + Key, "billing")]
    [InlineData("Basic", "anybody:" + Key, "billing")]
    [InlineData("basic", Key + ":", "billing")]
    [InlineData("Basic", Key, "billing")]
    [InlineData("Basic", "a:stranger", null)]
    [InlineData("Bearer", Key, "billing")]
    [InlineData("bearer", "  " + Key, "billing")]
    [InlineData("Digest", Key, null)]
    [InlineData("Bearer", "", null)]
    public async Task On_the_proxy_the_key_is_in_proxy_authorization_and_never_goes_on(string scheme, string credential, string? consumer)
    {
        var value = scheme.Equals("basic", StringComparison.OrdinalIgnoreCase) ? Convert.ToBase64String(Encoding.ASCII.GetBytes(credential)) : credential;
        var exchange = TestExchange.Of(Direction.Egress, ("Proxy-Authorization", $"{scheme} {value}"), ("X-Api-Key", "the upstream's"), ("Authorization", "Bearer upstream"));

        await PassesAsync(new AuthenticationSettings(), exchange);

        Assert.Equal((consumer ?? "anonymous", consumer is null ? "407 credential_unknown" : null), (exchange.Consumer.Name, Refusal(exchange)));
        Assert.Equal(["X-Api-Key: the upstream's", "Authorization: Bearer upstream"], TestExchange.Lines(exchange.RequestHeaders));
        Assert.Equal(consumer is null ? "Basic realm=\"tidegate\"" : null, exchange.Rejection?.Challenge);
    }

    [Theory]
    [InlineData("!not base64!")]
    [InlineData("")]
    [InlineData("=")]
    public async Task Basic_that_is_no_base64_is_no_key(string encoded)
    {
        var exchange = TestExchange.Of(Direction.Egress, ("Proxy-Authorization", "Basic " + encoded));

        Assert.False(await PassesAsync(new AuthenticationSettings(), exchange));
        Assert.Equal("407 credential_unknown", Refusal(exchange));
    }

    [Fact]
    public async Task A_base_url_call_is_asked_as_by_a_server()
    {
        var exchange = TestExchange.Of(Direction.Egress, ("Proxy-Authorization", "Bearer " + Key));
        exchange.BasePath = "/stripe";

        Assert.False(await PassesAsync(new AuthenticationSettings(), exchange));
        Assert.Equal("401 credential_missing", Refusal(exchange));
        Assert.Equal("ApiKey realm=\"tidegate\", header=\"X-Api-Key\"", exchange.Rejection!.Challenge);
        Assert.Equal(0, exchange.RequestHeaders.Count);
    }

    [Theory]
    [InlineData("Bearer " + Key, "billing", 0)]
    [InlineData("Bearer stranger", "401 credential_unknown", 0)]
    [InlineData("Basic dXNlcjpwYXNz", "401 credential_missing", 1)]
    public async Task In_authorization_only_a_bearer_is_a_key_of_ours(string value, string expected, int keptFields)
    {
        var exchange = TestExchange.Of(Direction.Ingress, ("authorization", value));

        await PassesAsync(new AuthenticationSettings { Header = "Authorization" }, exchange);

        Assert.Equal(expected, Refusal(exchange) ?? exchange.Consumer.Name);
        Assert.Equal(keptFields, exchange.RequestHeaders.Count);
    }

    [Theory]
    [InlineData(true, null)]
    [InlineData(false, "407 credential_missing")]
    public async Task Inside_a_tunnel_the_connects_credential_counts_and_fields_are_the_upstreams(bool isKnown, string? refusal)
    {
        var connection = new ClientConnection { PeerAddress = IPAddress.Loopback, TunnelTarget = new ExchangeTarget("https", "api.test", 443, "", null), TunnelConsumer = isKnown ? Billing : Consumer.Anonymous };
        var exchange = TestExchange.Of(Direction.Egress, connection, ("X-Api-Key", Key));

        await PassesAsync(new AuthenticationSettings(), exchange);

        Assert.Equal(refusal, Refusal(exchange));
        Assert.Equal(isKnown ? "billing" : "anonymous", exchange.Consumer.Name);
        Assert.Equal(["X-Api-Key: " + Key], TestExchange.Lines(exchange.RequestHeaders));
    }

    [Fact]
    public async Task Observing_lets_pass_and_notes_what_it_would_have_done()
    {
        var exchange = TestExchange.Of(Direction.Ingress, ("X-Api-Key", "stranger"));

        Assert.True(await PassesAsync(new AuthenticationSettings { Mode = PolicyMode.Observe }, exchange));
        Assert.Equal([new PolicyDecision("authenticate", "credential_unknown")], exchange.Observed);
        Assert.Equal(Outcome.Pending, exchange.Outcome);
        Assert.Equal(0, exchange.RequestHeaders.Count);
    }

    [Theory]
    [InlineData(Key, "consumer billing (tenant acme, environment production)")]
    [InlineData("stranger", "refused with 401 credential_unknown")]
    public void An_explanation_says_what_running_would_do_and_shows_no_key(string key, string expected)
    {
        var exchange = TestExchange.Of(Direction.Ingress, ("X-Api-Key", key));

        Assert.Equal(expected, new AuthenticationPolicy(Credentials, new AuthenticationSettings()).Explain(exchange).Summary);
    }

    private static async Task<bool> PassesAsync(AuthenticationSettings settings, Exchange exchange)
    {
        var passed = false;
        await new AuthenticationPolicy(Credentials, settings).InvokeAsync(exchange, _ =>
        {
            passed = true;
            return default;
        });
        return passed;
    }

    private static string? Refusal(Exchange exchange) => exchange.Rejection is { } rejection ? $"{rejection.Status} {rejection.Code}" : null;
}
