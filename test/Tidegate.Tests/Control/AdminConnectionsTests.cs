using System.Net;
using Tidegate.Control.Admin;
using Xunit;

namespace Tidegate.Tests.Control;

public sealed class AdminConnectionsTests
{
    [Fact]
    public void One_address_does_not_hold_the_places_of_others()
    {
        var connections = new AdminConnections(2);
        var (stranger, probe) = (IPAddress.Parse("192.0.2.1"), IPAddress.Parse("192.0.2.2"));
        Assert.True(connections.TryEnter(stranger));
        Assert.True(connections.TryEnter(stranger));
        Assert.False(connections.TryEnter(stranger));
        Assert.True(connections.TryEnter(probe));
        connections.Leave(stranger);
        Assert.True(connections.TryEnter(stranger));
        Assert.All(Enumerable.Range(0, 10), _ => Assert.True(connections.TryEnter(IPAddress.Loopback)));
    }
}
