using System.Text;
using Tidegate.Edge;
using Xunit;

namespace Tidegate.Tests.Edge;

/// <summary>Hosts in their one form. That the form is canonical again is held by the fuzzer's target.</summary>
public sealed class CanonicalHostTests
{
    [Theory]
    [InlineData("Example.COM", "example.com", 80)]
    [InlineData("example.com.", "example.com", 80)]
    [InlineData("example.com:", "example.com", 80)]
    [InlineData("example.com:65535", "example.com", 65535)]
    [InlineData("my_service:8080", "my_service", 8080)]
    [InlineData("_dmarc.example.com", "_dmarc.example.com", 80)]
    [InlineData("xn--bcher-kva.example", "xn--bcher-kva.example", 80)]
    [InlineData("192.0.2.1:81", "192.0.2.1", 81)]
    [InlineData("[2001:DB8:0:0::1]", "2001:db8::1", 80)]
    [InlineData("[::FFFF:1.2.3.4]:81", "::ffff:1.2.3.4", 81)]
    [InlineData("a1.2b", "a1.2b", 80)]
    public void A_host_has_one_form(string raw, string host, int port)
    {
        Assert.Null(CanonicalHost.Parse(Encoding.Latin1.GetBytes(raw), 80, out var parsed, out var parsedPort));
        Assert.Equal((host, port), (parsed, parsedPort));
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("a..b")]
    [InlineData(".a")]
    [InlineData("a b")]
    [InlineData("a/b")]
    [InlineData("a%41")]
    [InlineData("b\u00fccher.example")]
    [InlineData("user@a")]
    [InlineData("a:0")]
    [InlineData("a:080")]
    [InlineData("a:65536")]
    [InlineData("a:8a")]
    [InlineData("a:-1")]
    [InlineData("a:80:80")]
    [InlineData("::1")]
    [InlineData("[::1")]
    [InlineData("[::1]a")]
    [InlineData("[1.2.3.4]")]
    [InlineData("[fe80::1%25eth0]")]
    [InlineData("256.1.1.1")]
    [InlineData("1.2.3")]
    [InlineData("01.2.3.4")]
    [InlineData("0x7f000001")]
    [InlineData("a.0x1")]
    [InlineData("a.1")]
    public void What_peers_could_read_differently_is_refused(string raw) => Assert.Equal(400, CanonicalHost.Parse(Encoding.Latin1.GetBytes(raw), 80, out _, out _)?.Status);

    [Theory]
    [InlineData(63, 253, true)]
    [InlineData(64, 253, false)]
    [InlineData(63, 254, false)]
    public void A_name_is_no_longer_than_dns_can_carry(int labelBytes, int nameBytes, bool isAccepted)
    {
        var name = new StringBuilder();
        while (name.Length < nameBytes)
        {
            name.Append('a', Math.Min(labelBytes, nameBytes - name.Length));
            name.Append(name.Length < nameBytes - 1 ? "." : name.Length == nameBytes - 1 ? "b" : "");
        }

        Assert.Equal(nameBytes, name.Length);
        Assert.Equal(isAccepted, CanonicalHost.Parse(Encoding.Latin1.GetBytes(name.ToString()), 80, out _, out _) is null);
    }
}
