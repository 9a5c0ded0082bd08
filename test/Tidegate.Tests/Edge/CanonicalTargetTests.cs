using System.Text;
using CsCheck;
using Tidegate.Edge;
using Xunit;

namespace Tidegate.Tests.Edge;

public sealed class CanonicalTargetTests
{
    [Theory]
    [InlineData("/a/b", "/a/b")]
    [InlineData("/%61%2d%7e", "/a-~")]
    [InlineData("/a%c3%a9", "/a%C3%A9")]
    [InlineData("/a/./b/../c", "/a/c")]
    [InlineData("/a/%2e%2E/c", "/c")]
    [InlineData("/a/..", "/")]
    [InlineData("/a%25b", "/a%25b")]
    [InlineData("/a;v=1/b", "/a;v=1/b")]
    [InlineData("//a///b", "/a/b")]
    public void An_ingress_path_has_one_form(string raw, string canonical) => Assert.Equal(canonical, Origin(raw).Target?.Path);

    [Theory]
    [InlineData("/..")]
    [InlineData("/a/../../b")]
    [InlineData("/%00")]
    [InlineData("/a%5cb")]
    [InlineData("/a\\b")]
    [InlineData("/a%2")]
    [InlineData("/a%zz")]
    [InlineData("/a%c0%af")]
    [InlineData("/a%ff")]
    [InlineData("/a\u00e9")]
    [InlineData("/a#b")]
    [InlineData("/a/..;x/b")]
    [InlineData("/?a b")]
    [InlineData("a")]
    [InlineData("")]
    public void What_peers_could_read_differently_is_refused_with_400(string raw) => Assert.Equal(400, Origin(raw).Rejection?.Status);

    [Theory]
    [InlineData("http://EXAMPLE.test:80/x", "http://example.test/x")]
    [InlineData("http://example.test", "http://example.test/")]
    [InlineData("https://example.test:8443/?", "https://example.test:8443/?")]
    [InlineData("http://[::1]:81/", "http://[::1]:81/")]
    public void An_absolute_target_has_one_form(string raw, string canonical) => Assert.Equal(canonical, CanonicalTarget.ParseAbsolute(Encoding.Latin1.GetBytes(raw)).Target?.ToString());

    [Theory]
    [InlineData("http://user:pass@example.test/")]
    [InlineData("ftp://example.test/")]
    [InlineData("http://")]
    [InlineData("http://example.test:0/")]
    [InlineData("http://example.test:99999/")]
    [InlineData("http://exa mple.test/")]
    [InlineData("http://2130706433/")]
    public void A_malformed_absolute_target_is_refused(string raw) => Assert.False(CanonicalTarget.ParseAbsolute(Encoding.Latin1.GetBytes(raw)).IsTarget);

    [Fact]
    public void Any_bytes_give_a_target_or_a_4xx_and_a_canonical_path_stays_as_it_is()
    {
        var piece = Gen.Int[0, Pieces.Length - 1].Select(index => Pieces[index]);
        piece.Array[0, 12].Sample(pieces =>
        {
            var raw = Encoding.Latin1.GetBytes("/" + string.Concat(pieces));
            foreach (var isIngress in (ReadOnlySpan<bool>)[true, false])
            {
                var once = CanonicalTarget.ParseOrigin(raw, "http", "h"u8, isIngress);
                if (!once.IsTarget)
                {
                    Assert.InRange(once.Rejection.Status, 400, 499);
                    continue;
                }

                Assert.DoesNotContain(once.Target.Path.Split('/'), segment => segment is "." or "..");
                var twice = CanonicalTarget.ParseOrigin(Encoding.Latin1.GetBytes(once.Target.PathAndQuery), "http", "h"u8, isIngress);
                Assert.Equal(once.Target, twice.Target);
            }
        });
    }

    [Fact]
    public void Random_bytes_never_throw() =>
        Gen.Byte.Array[0, 40].Sample(bytes =>
        {
            _ = CanonicalTarget.ParseOrigin(bytes, "http", "h"u8, isIngress: true);
            _ = CanonicalTarget.ParseOrigin("/"u8, "http", bytes, isIngress: true);
            _ = CanonicalTarget.ParseAbsolute(bytes);
            _ = CanonicalTarget.ParseAuthority(bytes);
        });

    private static readonly string[] Pieces = ["a", "/", ".", "..", "%2e", "%2E", "%2f", "%25", "%41", ";", ";x", "?", "//", "%c3%a9", "%", "\\", "~", "\"", "*", "{"];

    private static TargetResult Origin(string raw) => CanonicalTarget.ParseOrigin(Encoding.Latin1.GetBytes(raw), "http", "h"u8, isIngress: true);
}
