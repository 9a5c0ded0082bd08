using System.Net;
using System.Text;
using Tidegate.Edge;
using Tidegate.Exchanges;
using Xunit;

namespace Tidegate.Tests.Edge;

/// <summary>The cache may only ever save work: it must say what parsing says.</summary>
public sealed class TargetCacheTests
{
    private readonly TargetCache _cache = new();

    [Fact]
    public void The_same_bytes_give_the_same_target_object()
    {
        var first = Read(Direction.Ingress, "/a?b=1", "example.com");

        Assert.Same(first.Target, Read(Direction.Ingress, "/a?b=1", "example.com").Target);
    }

    [Theory]
    [InlineData(Direction.Ingress, false, "GET", "/a//b", "example.com")]
    [InlineData(Direction.Egress, false, "GET", "/a//b", "example.com")]
    [InlineData(Direction.Ingress, true, "GET", "/a//b", "example.com")]
    [InlineData(Direction.Ingress, false, "OPTIONS", "*", "example.com")]
    [InlineData(Direction.Ingress, false, "GET", "*", "example.com")]
    [InlineData(Direction.Ingress, false, "GET", "/a//b", "example.org")]
    [InlineData(Direction.Ingress, false, "GET", "/..", "example.com")]
    [InlineData(Direction.Egress, false, "GET", "http://example.com/", "example.com")]
    [InlineData(Direction.Egress, false, "GET", "http://example.com/", "example.org")]
    public void Whatever_was_asked_before_the_answer_is_the_parsers(Direction direction, bool isSecure, string method, string target, string host)
    {
        foreach (var other in (ReadOnlySpan<(Direction, bool, string)>)[(Direction.Ingress, false, "GET"), (Direction.Egress, true, "GET"), (Direction.Ingress, true, "OPTIONS")])
        {
            Read(other.Item1, target, host, other.Item2, other.Item3);
        }

        var exchange = Ask(direction, isSecure, method);
        var expected = RequestTarget.Read(exchange, Encoding.ASCII.GetBytes(target), Encoding.ASCII.GetBytes(host));
        for (var i = 0; i < 2; i++)
        {
            var asked = Ask(direction, isSecure, method);
            var read = _cache.Read(asked, Encoding.ASCII.GetBytes(target), Encoding.ASCII.GetBytes(host));
            Assert.Equal((expected.Target, expected.Rejection, exchange.BaseOrigin), (read.Target, read.Rejection, asked.BaseOrigin));
        }
    }

    private TargetResult Read(Direction direction, string target, string host, bool isSecure = false, string method = "GET") =>
        _cache.Read(Ask(direction, isSecure, method), Encoding.ASCII.GetBytes(target), Encoding.ASCII.GetBytes(host));

    private static Exchange Ask(Direction direction, bool isSecure, string method) => new()
    {
        Connection = new ClientConnection { PeerAddress = IPAddress.Loopback, IsSecure = isSecure },
        Client = null!,
        Direction = direction,
        Method = method,
    };
}
