using Tidegate.Exchanges;
using Xunit;

namespace Tidegate.Tests.Exchanges;

public sealed class ExchangeTargetTests
{
    [Theory]
    [InlineData("https", "a.test", 443, "a.test")]
    [InlineData("https", "a.test", 80, "a.test:80")]
    [InlineData("http", "a.test", 80, "a.test")]
    [InlineData("http", "::1", 8080, "[::1]:8080")]
    public void The_authority_names_the_port_only_when_it_is_not_the_schemes_own(string scheme, string host, int port, string expected) =>
        Assert.Equal(expected, new ExchangeTarget(scheme, host, port, "/", null).Authority);

    [Fact]
    public void An_empty_query_is_not_the_same_as_none()
    {
        Assert.Equal("/a?", new ExchangeTarget("http", "h", 80, "/a", "").PathAndQuery);
        Assert.Equal("/a", new ExchangeTarget("http", "h", 80, "/a", null).PathAndQuery);
    }
}
