using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Access;
using Tidegate.Tests.Exchanges;
using Xunit;

namespace Tidegate.Tests.Policies;

public sealed class AccessPolicyTests
{
    [Theory]
    [InlineData("", "", "anonymous", "TRACE", null)]
    [InlineData("billing", "", "billing", "GET", null)]
    [InlineData("billing", "", "Billing", "GET", "403 consumer_not_allowed")]
    [InlineData("billing", "", "orders", "GET", "403 consumer_not_allowed")]
    [InlineData("billing", "", "anonymous", "GET", "401 credential_missing")]
    [InlineData("anonymous", "", "anonymous", "GET", "401 credential_missing")]
    [InlineData("", "GET,POST", "anonymous", "POST", null)]
    [InlineData("", "GET,POST", "anonymous", "get", "405 method_not_allowed")]
    [InlineData("", "GET,POST", "anonymous", "HEAD", "405 method_not_allowed")]
    [InlineData("billing", "GET", "orders", "PUT", "403 consumer_not_allowed")]
    [InlineData("billing", "GET", "billing", "PUT", "405 method_not_allowed")]
    public async Task Listed_consumers_may_use_listed_methods(string consumers, string methods, string caller, string method, string? refusal)
    {
        var exchange = Call(Direction.Ingress, caller, method);

        var passed = await PassesAsync(Settings(consumers, methods), exchange);

        Assert.Equal((refusal, refusal is null), (Refusal(exchange), passed));
        Assert.Equal(exchange.Rejection?.Status == 405 ? methods.Replace(",", ", ", StringComparison.Ordinal) : null, exchange.Rejection?.Allow);
    }

    [Fact]
    public async Task On_the_proxy_an_anonymous_caller_is_asked_for_a_proxy_credential()
    {
        var exchange = Call(Direction.Egress, "anonymous", "GET");

        Assert.False(await PassesAsync(Settings("billing", ""), exchange));
        Assert.Equal("407 credential_missing", Refusal(exchange));
    }

    [Fact]
    public async Task A_tunnel_is_not_held_to_the_methods_of_what_is_inside()
    {
        var exchange = Call(Direction.Egress, "billing", "CONNECT");
        exchange.IsTunnel = true;

        Assert.True(await PassesAsync(Settings("billing", "GET"), exchange));
    }

    [Fact]
    public async Task Observing_lets_pass_and_notes_what_it_would_have_done()
    {
        var exchange = Call(Direction.Ingress, "orders", "GET");

        Assert.True(await PassesAsync(Settings("billing", "") with { Mode = PolicyMode.Observe }, exchange));
        Assert.Equal([new PolicyDecision("access", "consumer_not_allowed")], exchange.Observed);
    }

    [Theory]
    [InlineData(PolicyMode.Enforce, "refused with 405 method_not_allowed")]
    [InlineData(PolicyMode.Observe, "would have refused with method_not_allowed (observe)")]
    public void An_explanation_says_what_running_would_do(PolicyMode mode, string expected) =>
        Assert.Equal(expected, new AccessPolicy(Settings("", "GET") with { Mode = mode }).Explain(Call(Direction.Ingress, "billing", "PUT")).Summary);

    private static AccessSettings Settings(string consumers, string methods) => new()
    {
        Consumers = consumers.Split(',', StringSplitOptions.RemoveEmptyEntries),
        Methods = methods.Split(',', StringSplitOptions.RemoveEmptyEntries),
    };

    private static Exchange Call(Direction direction, string consumer, string method)
    {
        var exchange = TestExchange.Of(direction);
        exchange.Consumer = consumer == "anonymous" ? Consumer.Anonymous : new Consumer(consumer, "", "");
        exchange.Method = method;
        return exchange;
    }

    private static async Task<bool> PassesAsync(AccessSettings settings, Exchange exchange)
    {
        var passed = false;
        await new AccessPolicy(settings).InvokeAsync(exchange, _ =>
        {
            passed = true;
            return default;
        });
        return passed;
    }

    private static string? Refusal(Exchange exchange) => exchange.Rejection is { } rejection ? $"{rejection.Status} {rejection.Code}" : null;
}
