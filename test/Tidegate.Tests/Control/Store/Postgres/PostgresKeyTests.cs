using Tidegate.Control.Store.Postgres;
using Tidegate.Control.Store.Rollups;
using Tidegate.Exchanges;
using Xunit;

namespace Tidegate.Tests.Control.Store.Postgres;

/// <summary>The numbers under which databases have kinds of exchanges.</summary>
public sealed class PostgresKeyTests
{
    [Theory]
    [InlineData("", -8615484693434746149)]
    [InlineData("shop", -3730376548145351628)]
    [InlineData("caf\u00e9 \U0001f30a", 1143976353352842452)]
    public void Names_of_whole_characters_have_the_numbers_that_databases_have_already(string consumer, long expected) => Assert.Equal(expected, PostgresKey.IdOf(Of(consumer)));

    [Fact]
    public void Whatever_differs_has_another_number()
    {
        string[] names = ["\ud800", "\udbff", "\udc00", "\ufffd", "\udc00\ud800", "\ud800\udc00", "a\ud800", "\ud800a", "\0", ""];
        Assert.Equal(names.Length, names.Select(name => PostgresKey.IdOf(Of(name))).Distinct().Count());
    }

    private static RollupKey Of(string consumer) =>
        new(Direction.Egress, "payments", "", "GET", 200, Outcome.Forwarded, "", "", consumer, "", "", "https://a.example:443", "", CacheResult.None);
}
