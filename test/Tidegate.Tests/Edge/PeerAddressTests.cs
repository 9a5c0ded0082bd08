using System.Net;
using Tidegate.Edge;
using Xunit;

namespace Tidegate.Tests.Edge;

public sealed class PeerAddressTests
{
    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1")]
    [InlineData("::ffff:192.0.2.1", "192.0.2.1")]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
    [InlineData("fe80::1", "fe80::")]
    [InlineData("::1", "::1")]
    public void An_ipv6_subscriber_is_one_and_an_ipv4_address_is_one(string address, string network) =>
        Assert.Equal(IPAddress.Parse(network), PeerAddress.NetworkOf(IPAddress.Parse(address)));

    [Fact]
    public void One_subscriber_does_not_hold_the_places_of_others()
    {
        var counter = new ConnectionCounter();
        var limits = EdgeLimits.Default with { MaxConnectionsPerAddress = 2 };
        Assert.True(counter.TryEnter(IPAddress.Parse("2001:db8:1:2::1"), limits));
        Assert.True(counter.TryEnter(IPAddress.Parse("2001:db8:1:2::2"), limits));
        Assert.False(counter.TryEnter(IPAddress.Parse("2001:db8:1:2::3"), limits));
        Assert.True(counter.TryEnter(IPAddress.Parse("2001:db8:1:3::1"), limits));
        counter.Leave(IPAddress.Parse("2001:db8:1:2::1"));
        Assert.True(counter.TryEnter(IPAddress.Parse("2001:db8:1:2::3"), limits));
    }
}
