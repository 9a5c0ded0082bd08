using System.Net;
using Tidegate.Edge;
using Tidegate.Exchanges;
using Tidegate.Tests.Exchanges;
using Xunit;

namespace Tidegate.Tests.Edge;

/// <summary>Whom a request comes from, and which of a client's fields may go further.</summary>
public sealed class HeaderHygieneTests
{
    private static readonly IPNetwork Proxies = IPNetwork.Parse("192.0.2.0/24");

    public static TheoryData<string> FieldsOfTheWay => ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Real-IP"];

    public static TheoryData<string> NeverPassed =>
    [
        "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "HTTP2-Settings", "Proxy-Authenticate", "Tidegate-Exchange", "tidegate-consumer", "Tidegate-", "TIDEGATE_CONSUMER",
        "X_Forwarded_For", "x_forwarded-proto", "X-Real_IP", "Content_Length", "Transfer_Encoding", "X_Api_Key",
    ];

    [Theory]
    [MemberData(nameof(FieldsOfTheWay))]
    public void Egress_tells_a_third_party_nothing_of_the_way(string name)
    {
        foreach (var isTrusted in (ReadOnlySpan<bool>)[true, false])
        {
            var exchange = Clean(Direction.Egress, isTrusted, (name, "203.0.113.9"), (name.ToLowerInvariant(), "203.0.113.10"));

            Assert.Equal(["Host: api.test"], TestExchange.Lines(exchange.RequestHeaders));
            Assert.Equal("192.0.2.7", exchange.ClientAddress.ToString());
        }
    }

    [Theory]
    [MemberData(nameof(FieldsOfTheWay))]
    public void Ingress_believes_nobody_who_is_no_trusted_proxy(string name)
    {
        var exchange = Clean(Direction.Ingress, isTrusted: false, (name, "for=203.0.113.9;proto=https"), (name.ToUpperInvariant(), "203.0.113.10"));

        Assert.Equal(["Host: api.test", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: http", "X-Forwarded-Host: api.test"], TestExchange.Lines(exchange.RequestHeaders));
        Assert.Equal("192.0.2.7", exchange.ClientAddress.ToString());
    }

    [Theory]
    [MemberData(nameof(NeverPassed))]
    public void A_field_of_the_connection_or_of_the_gateway_is_never_passed_in_either_direction(string name)
    {
        foreach (var direction in (ReadOnlySpan<Direction>)[Direction.Egress, Direction.Ingress])
        {
            var exchange = Clean(direction, isTrusted: true, (name, "forged"), ("X-Kept", "1"));

            var lines = TestExchange.Lines(exchange.RequestHeaders);
            Assert.DoesNotContain(lines, line => line.Contains("forged", StringComparison.Ordinal));
            Assert.Contains("X-Kept: 1", lines);
        }
    }

    [Theory]
    [InlineData("Tide")]
    [InlineData("X-Tidegate-Consumer")]
    [InlineData("TE")]
    [InlineData("X_Custom_Field")]
    [InlineData("_")]
    [InlineData("Trailer")]
    public void Any_other_field_passes_as_it_is(string name) =>
        Assert.Contains($"{name}: trailers", TestExchange.Lines(Clean(Direction.Egress, isTrusted: false, (name, "trailers")).RequestHeaders));

    [Theory]
    [InlineData(Direction.Ingress, false)]
    [InlineData(Direction.Egress, true)]
    public void A_proxy_credential_goes_on_to_the_policies_only_on_the_proxy(Direction direction, bool isKept) =>
        Assert.Equal(isKept, Clean(direction, isTrusted: false, ("Proxy-Authorization", "Basic x")).RequestHeaders.Contains(KnownHeader.ProxyAuthorization));

    [Fact]
    public void What_connection_names_is_dropped_and_nothing_of_ours_can_be_named_away()
    {
        var exchange = Clean(
            Direction.Ingress, isTrusted: false,
            ("Connection", "close, X-Hop,x-FORWARDED-for"), ("Connection", " X-Forwarded-Proto ,X-Forwarded-Host,Host,Content-Length,Connection,TE,\t x-other"), ("X-Hop", "1"), ("x-hop", "2"), ("X-OTHER", "3"), ("X-Kept", "4"), ("Content-Length", "0"), ("TE", "trailers"));

        Assert.Equal(
            ["Host: api.test", "X-Kept: 4", "Content-Length: 0", "TE: trailers", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: http", "X-Forwarded-Host: api.test"],
            TestExchange.Lines(exchange.RequestHeaders));
    }

    [Theory]
    [InlineData("203.0.113.9", "203.0.113.9")]
    [InlineData("1.1.1.1, 203.0.113.9", "203.0.113.9")]
    [InlineData("203.0.113.9, 192.0.2.5, 192.0.2.6", "203.0.113.9")]
    [InlineData("203.0.113.9:4711", "203.0.113.9")]
    [InlineData("[2001:db8::1]:4711", "2001:db8::1")]
    [InlineData("2001:db8::1", "2001:db8::1")]
    [InlineData("::ffff:203.0.113.9", "203.0.113.9")]
    [InlineData("203.0.113.9, unknown", "192.0.2.7")]
    [InlineData("203.0.113.9, _hidden, 192.0.2.6", "192.0.2.6")]
    [InlineData("2130706433", "192.0.2.7")]
    [InlineData("", "192.0.2.7")]
    [InlineData("192.0.2.5", "192.0.2.5")]
    public void From_a_trusted_proxy_the_client_is_the_first_address_from_the_right_that_is_no_proxy(string forwardedFor, string client)
    {
        var exchange = Clean(Direction.Ingress, isTrusted: true, ("X-Forwarded-For", forwardedFor));

        Assert.Equal(client, exchange.ClientAddress.ToString());
        Assert.Equal($"{forwardedFor}, 192.0.2.7", exchange.RequestHeaders.Get(KnownHeader.XForwardedFor));
    }

    [Fact]
    public void Several_lines_of_a_chain_are_one_list()
    {
        var exchange = Clean(Direction.Ingress, isTrusted: true, ("X-Forwarded-For", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9"));

        Assert.Equal("203.0.113.9", exchange.ClientAddress.ToString());
        Assert.Equal("1.1.1.1, 203.0.113.9, 192.0.2.7", exchange.RequestHeaders.Get(KnownHeader.XForwardedFor));
        Assert.Equal(1, exchange.RequestHeaders.CountOf(KnownHeader.XForwardedFor));
    }

    [Fact]
    public void A_chain_longer_than_any_network_ends_the_search() =>
        Assert.Equal("192.0.2.9", Clean(Direction.Ingress, isTrusted: true, ("X-Forwarded-For", "203.0.113.9, " + string.Join(", ", Enumerable.Repeat("192.0.2.9", 500)))).ClientAddress.ToString());

    [Theory]
    [InlineData("https", null, "https")]
    [InlineData("http, https", null, "https")]
    [InlineData("javascript", null, "http")]
    [InlineData(null, "for=203.0.113.9;proto=https", "https")]
    [InlineData(null, "For=\"[2001:db8::1]:80\"; Proto=https, for=192.0.2.6;proto=http", "http")]
    [InlineData("http", "for=203.0.113.9;proto=https", "http")]
    public void The_scheme_is_what_the_nearest_proxy_said(string? proto, string? forwarded, string expected)
    {
        (string, string)[] fields = [.. proto is null ? [] : new[] { ("X-Forwarded-Proto", proto) }, .. forwarded is null ? [] : new[] { ("Forwarded", forwarded) }];

        Assert.Equal(expected, Clean(Direction.Ingress, isTrusted: true, fields).RequestHeaders.Get(KnownHeader.XForwardedProto));
    }

    [Theory]
    [InlineData("for=203.0.113.9", "203.0.113.9")]
    [InlineData("by=1.1.1.1; FOR=\"203.0.113.9:80\"", "203.0.113.9")]
    [InlineData("for=1.1.1.1, for=\"[2001:db8::1]\"", "2001:db8::1")]
    [InlineData("for=203.0.113.9, for=192.0.2.5", "203.0.113.9")]
    [InlineData("proto=https", "192.0.2.7")]
    public void Without_a_chain_forwarded_names_the_client(string forwarded, string client)
    {
        var exchange = Clean(Direction.Ingress, isTrusted: true, ("Forwarded", forwarded));

        Assert.Equal(client, exchange.ClientAddress.ToString());
        Assert.False(exchange.RequestHeaders.Contains(KnownHeader.Forwarded));
    }

    private static Exchange Clean(Direction direction, bool isTrusted, params (string, string)[] fields)
    {
        var exchange = TestExchange.Of(direction, [("Host", "api.test"), .. fields]);
        HeaderHygiene.CleanRequest(exchange, new ListenerSettings { Name = "test", Direction = direction, Address = new IPEndPoint(IPAddress.Loopback, 0), TrustedProxies = isTrusted ? [Proxies] : [] });
        return exchange;
    }
}
