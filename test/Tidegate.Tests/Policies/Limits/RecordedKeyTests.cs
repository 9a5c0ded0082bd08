using System.Net;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits;
using Xunit;

namespace Tidegate.Tests.Policies.Limits;

/// <summary>A count is found again by what the record of an exchange says.</summary>
public sealed class RecordedKeyTests
{
    private static readonly string Long = new('x', 200);

    [Theory]
    [InlineData("acme", "", "192.0.2.7")]
    [InlineData("a-name-that-is-longer-than-what-is-used-as-it-is-because-somebody-wanted-it-to-say-everything", "production", "2001:db8::17")]
    public void It_is_the_one_that_the_exchange_took_from(string tenant, string environment, string address)
    {
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Parse(address) }, Client = null!, Target = new ExchangeTarget("https", "a.test", 443, $"/v1/{Long}/things", null) };
        exchange.Consumer = new Consumer("partner", tenant, environment);
        (KeyPart Part, string Value)[] parts =
        [
            (new KeyPart(KeyPartKind.Consumer), "partner"), (new KeyPart(KeyPartKind.Tenant), tenant), (new KeyPart(KeyPartKind.Environment), environment), (new KeyPart(KeyPartKind.Host), "a.test"),
            (new KeyPart(KeyPartKind.ClientAddress), address), (new KeyPart(KeyPartKind.Path, "id", 1), Long),
        ];
        foreach (var (part, value) in parts)
        {
            var limit = Of([part]);
            limit.Of(exchange, out var expected);
            Assert.Same(limit, limit.Of([value], out var found));
            Assert.Equal(expected, found);
        }

        var all = Of([.. parts.Select(part => part.Part)]);
        all.Of([.. parts.Select(part => part.Value)], out var key);
        Assert.Equal(all.KeyOf(exchange), key);
    }

    [Fact]
    public void Whoever_has_another_amount_has_it_here_too()
    {
        var own = new LimitSettings { Name = "rate", Kind = LimitKind.Rate, Amount = 100, Period = TimeSpan.FromSeconds(1), Text = "100/s" };
        var limit = Of([new KeyPart(KeyPartKind.Consumer)], [new LimitOverride(["partner"], own)]);

        Assert.Equal(100, limit.Of(["partner"], out _).Settings.Amount);
        Assert.Equal(10, limit.Of(["other"], out _).Settings.Amount);
    }

    private static Limit Of(IReadOnlyList<KeyPart> per, IReadOnlyList<LimitOverride>? overrides = null) =>
        new(new LimitSettings { Name = "rate", Kind = LimitKind.Rate, Amount = 10, Period = TimeSpan.FromSeconds(1), Text = "10/s", Per = per, Overrides = overrides ?? [] }, "api", 17, new FakeTimeProvider());
}
