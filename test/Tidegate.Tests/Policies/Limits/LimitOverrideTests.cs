using System.Net;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Limits;
using Xunit;

namespace Tidegate.Tests.Policies.Limits;

/// <summary>One limit, and other amounts for some of those whom it tells apart.</summary>
public sealed class LimitOverrideTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task Who_is_named_has_an_amount_of_its_own_and_everybody_else_the_limits()
    {
        var policy = Policy(Rate(10) with { Per = [new KeyPart(KeyPartKind.Consumer)], Overrides = [Override(["acme"], 100)] });

        Assert.Equal(100, await PassedAsync(policy, "acme", tries: 200));
        Assert.Equal(10, await PassedAsync(policy, "billing", tries: 200));
        Assert.Equal(10, await PassedAsync(policy, "shipping", tries: 200));
    }

    [Fact]
    public async Task Of_several_values_those_that_are_left_out_may_be_any_and_who_is_named_more_closely_goes_first()
    {
        var policy = Policy(Rate(10) with
        {
            Per = [new KeyPart(KeyPartKind.Consumer), new KeyPart(KeyPartKind.Header, "x-part")],
            Overrides = [Override(["acme", "search"], 5), Override(["acme"], 100), Override(["billing", "search"], 20)],
        });

        Assert.Equal(100, await PassedAsync(policy, "acme", tries: 200, part: "orders"));
        Assert.Equal(5, await PassedAsync(policy, "acme", tries: 200, part: "search"));
        Assert.Equal(20, await PassedAsync(policy, "billing", tries: 200, part: "search"));
        Assert.Equal(10, await PassedAsync(policy, "billing", tries: 200, part: "orders"));
    }

    [Fact]
    public async Task An_address_is_the_one_that_is_meant_however_it_is_written()
    {
        var policy = Policy(Rate(1) with
        {
            Per = [new KeyPart(KeyPartKind.ClientAddress)],
            Overrides = [Override(["10.0.0.7"], 3), Override(["2001:DB8:0:0::1"], 4)],
        });

        Assert.Equal(3, await PassedAsync(policy, "a", tries: 9, address: "10.0.0.7"));
        Assert.Equal(1, await PassedAsync(policy, "a", tries: 9, address: "10.0.0.8"));
        Assert.Equal(4, await PassedAsync(policy, "a", tries: 9, address: "2001:db8::ffff"));
    }

    [Fact]
    public async Task A_refusal_and_explain_say_the_amount_that_holds()
    {
        var policy = Policy(Rate(1) with { Per = [new KeyPart(KeyPartKind.Consumer)], Overrides = [Override(["acme"], 2)] });
        await PassedAsync(policy, "acme", tries: 2);
        var refused = Call("acme");
        await policy.InvokeAsync(refused, static _ => default);

        Assert.Contains("2/s for acme", refused.Rejection!.Detail, StringComparison.Ordinal);
        Assert.Contains("rate (2/s for acme per consumer): 2 of 2 used", policy.Explain(Call("acme")).Summary, StringComparison.Ordinal);
        Assert.Contains("rate (1/s per consumer): 0 of 1 used", policy.Explain(Call("billing")).Summary, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Places_in_flight_of_who_is_named_come_back()
    {
        var settings = new LimitSettings { Name = "concurrency", Kind = LimitKind.Concurrency, Amount = 1, Text = "1 in flight", Per = [new KeyPart(KeyPartKind.Consumer)] };
        var policy = Policy(settings with { Overrides = [new LimitOverride(["acme"], settings with { Amount = 2 })] });
        for (var round = 0; round < 3; round++)
        {
            var calls = Enumerable.Range(0, 3).Select(_ => Call("acme")).ToList();
            var passed = 0;
            foreach (var call in calls)
            {
                passed += await PassesAsync(policy, call) ? 1 : 0;
            }

            Assert.Equal(2, passed);
            calls.ForEach(call => call.EndAnswer(downTo: 0));
        }
    }

    private static LimitSettings Rate(int amount) => new() { Name = "rate", Kind = LimitKind.Rate, Amount = amount, Period = TimeSpan.FromSeconds(1), Text = $"{amount}/s" };

    private static LimitOverride Override(string[] values, int amount) => new(values, Rate(amount) with { Text = $"{amount}/s for {string.Join(", ", values)}" });

    private LimitsPolicy Policy(LimitSettings settings)
    {
        var store = new LimitStore(_time);

        // A second limit that tells apart by the same must not take the first one's choice for its own.
        var wide = Rate(1_000) with { Name = "wide", Per = settings.Per };
        return new LimitsPolicy(PolicyStage.Admit, [new Limit(settings, "api", store.Secret, _time), new Limit(wide, "api", store.Secret, _time)], store, queue: null, QueueSettings.Default);
    }

    private static async Task<int> PassedAsync(LimitsPolicy policy, string consumer, int tries, string part = "", string address = "127.0.0.1")
    {
        var passed = 0;
        for (var i = 0; i < tries; i++)
        {
            passed += await PassesAsync(policy, Call(consumer, part, address)) ? 1 : 0;
        }

        return passed;
    }

    private static async Task<bool> PassesAsync(LimitsPolicy policy, Exchange exchange)
    {
        await policy.InvokeAsync(exchange, static _ => default);
        return exchange.Rejection is null;
    }

    private static Exchange Call(string consumer, string part = "", string address = "127.0.0.1")
    {
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Parse(address) }, Client = null!, Consumer = new Consumer(consumer, "", "") };
        exchange.RequestHeaders.Add("x-part", part);
        return exchange;
    }
}
