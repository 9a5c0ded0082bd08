using Xunit;

namespace Tidegate.Tests.Configuration;

/// <summary>What <c>check</c> says of prices that cannot be meant.</summary>
public sealed class CostConfigTests
{
    /// <param name="key">A key of an API; ^ stands where the problem is.</param>
    /// <param name="expected">What is said; null for nothing.</param>
    [Theory]
    [InlineData("cost: { per_request: 0.002 USD }", null)]
    [InlineData("cost: [{ from: 2026-01-01, per_request: 0.002 USD }, { from: 2027-01-01, per_request: 0.0025 USD }]", null)]
    [InlineData("cost: { per_size: [{ up_to: 10TB, price: 0.09 USD/GB }, { price: 0.085 USD/GB }], content: response }", "'10TB' does not end a tier here; write a size, for example 10GB", 33)]
    [InlineData("cost: { per_size: [{ up_to: 10GB, price: 0.09 USD/GB }, { price: 0.085 USD/GB }], content: response }", null)]
    [InlineData("cost: ^{ billed: answers }", "a price has per_request, per_size or units")]
    [InlineData("cost: { per_request: ^0.002 }", "'0.002' is no price here; write amount and currency, for example 0.002 USD or 2.50 USD/1000000")]
    [InlineData("cost: { per_request: ^0.002 usd }", "'0.002 usd' is no price here; write amount and currency, for example 0.002 USD or 2.50 USD/1000000")]
    [InlineData("cost: { per_request: ^0.0000000000001 USD }", "'0.0000000000001 USD' is no price here; write amount and currency, for example 0.002 USD or 2.50 USD/1000000")]
    [InlineData("cost: { per_request: ^0.09 USD/GB }", "'0.09 USD/GB' is no price here; write amount and currency, for example 0.002 USD or 2.50 USD/1000000")]
    [InlineData("cost: { per_size: ^0.09 USD }", "'0.09 USD' is no price here; write amount, currency and size, for example 0.09 USD/GB")]
    [InlineData("cost: { per_request: 1 USD, per_size: ^1 EUR/GB }", "the prices before are in USD; one provider's bill has one currency")]
    [InlineData("cost: { from: ^tomorrow, per_request: 1 USD }", "'tomorrow' is no day; write it as 2026-11-25")]
    [InlineData("cost: ^[{ per_request: 1 USD }, { per_request: 2 USD }]", "two prices hold always; say with from which day the later one holds")]
    [InlineData("cost: ^[{ from: 2026-01-01, per_request: 1 USD }, { from: 2026-01-01, per_request: 2 USD }]", "two prices hold from 2026-01-01")]
    [InlineData("cost: { per_request: 1 USD, content: ^both }", "content belongs to per_size")]
    [InlineData("cost: { per_request: [{ up_to: 10, price: 1 USD }, { up_to: ^9, price: 2 USD }, { price: 3 USD }] }", "'9' does not end a tier here; write a whole number, larger than the one before")]
    [InlineData("cost: { per_request: [^{ price: 1 USD }, { price: 2 USD }] }", "every tier but the last says with up_to where it ends")]
    [InlineData("cost: { per_request: [{ up_to: ^10, price: 1 USD }] }", "the last tier holds for all that follows; remove up_to")]
    [InlineData("cost: { units: [^{ name: t, price: 1 USD }] }", "a unit's number stands in response_json or in response_header; write one of them")]
    [InlineData("cost: { units: [^{ name: t, price: 1 USD, response_json: /a, response_header: a }] }", "a unit's number stands in response_json or in response_header; write one of them")]
    [InlineData("cost: { units: [{ name: t, price: 1 USD, response_json: ^a }] }", "'a' is no JSON pointer to a field; write /usage/total_tokens, with at most 16 parts")]
    [InlineData("cost: { units: [{ name: t, price: 1 USD, response_header: a, less: ^/b }] }", "less belongs to response_json")]
    [InlineData("cost: { units: [{ name: t, price: 1 USD, response_json: /a }, { name: ^t, price: 1 USD, response_json: /b }] }", "there are two units named 't' here")]
    [InlineData("cost: { units: [{ name: t, price: [{ up_to: ^1000000000001, price: 1 USD }, { price: 2 USD }], response_json: /a }] }", "'1000000000001' does not end a tier here; write a whole number, at most 1000000000000")]
    [InlineData("endpoints: [{ match: { path: /free }, cost: { per_request: 0 USD } }]", null)]
    [InlineData("endpoints: [{ match: { path: /a }, cost: { per_request: ^free } }]", "'free' is no price here; write amount and currency, for example 0.002 USD or 2.50 USD/1000000")]
    public async Task Each_price_that_cannot_be_meant_is_an_error_at_its_place(string key, string? expected, int column = 0)
    {
        var problems = await CheckTests.ProblemsAsync($$"""
            listeners: { egress: { address: 127.0.0.1:8080 } }
            apis:
              - name: a
                direction: egress
                hosts: [a.test]
                {{key.Replace("^", "", StringComparison.Ordinal)}}
            """);

        if (expected is null)
        {
            Assert.Empty(problems);
            return;
        }

        var place = column > 0 ? column : key.IndexOf('^', StringComparison.Ordinal) + 5;
        Assert.Equal($"t.yaml:6:{place} error: {expected}", Assert.Single(problems));
    }
}
