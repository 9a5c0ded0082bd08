using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Tidegate.Edge;

namespace Tidegate.Fuzz.Targets;

/// <summary>A request target: refused with 4xx, or in a form that is canonical again, in which no server can see a dot segment or another host.</summary>
internal sealed partial class CanonicalTargetTarget : FuzzTarget
{
    public override string Name => "target";

    public override IReadOnlyList<byte[]> Seeds { get; } = Latin1(
        "/", "/v1/charges/ch_1Mm?expand=customer&a=%20b", "/a/./b/../c//d/", "/%7Euser/caf%C3%A9/%2e%2e/x;v=1/y", "/a%2Fb%5Bc%5D", "*", "/files/..%2f..%2fetc",
        "http://api.example.com/a?b", "https://EXAMPLE.test.:8443/x/../y", "http://[2001:DB8::1]:81/", "api.example.com:443", "[::1]:8443", "my_service:80", "127.0.0.1");

    public override IReadOnlyList<byte[]> Tokens { get; } = Latin1(
        "/", "//", "/./", "/../", "/.", "/..", "..;", ";", "%2e", "%2E%2e", "%252e", "%2f", "%5c", "\\", "%00", "%0a", "%7f", "%c0%af", "%c3%a9", "%ed%a0%80", "%f4%90%80%80", "%", "%3b", "%3F", "#", "?", "@", ":",
        "http://", "https://", "HTTP://", ":443", ":0", ":080", ":65536", "[", "]", "::", "::ffff:1.2.3.4", "%25eth0", "1.2.3.4", "0x7f.1", "0177.0.0.1", "2130706433", "xn--", ".", "..", "-", "_", "\u00e9");

    public override void Check(byte[] input, Random random)
    {
        foreach (var isIngress in (ReadOnlySpan<bool>)[true, false])
        {
            var isOptions = random.Next(4) == 0;
            Judge(CanonicalTarget.ParseOrigin(input, "http", "h"u8, isIngress, isOptions), isIngress, again => CanonicalTarget.ParseOrigin(Encoding.Latin1.GetBytes(again.PathAndQuery), "http", "h"u8, isIngress, isOptions));
            Judge(CanonicalTarget.ParseOrigin("/"u8, "https", input, isIngress), isIngress, again => CanonicalTarget.ParseOrigin("/"u8, "https", Encoding.Latin1.GetBytes(again.Authority), isIngress));
            Judge(CanonicalTarget.ParseAbsolute(input, isIngress, isOptions), isIngress, again => again.Path == "*" ? again : CanonicalTarget.ParseAbsolute(Encoding.Latin1.GetBytes(again.ToString()), isIngress, isOptions));
        }

        Judge(CanonicalTarget.ParseAuthority(input), isIngress: false, again => CanonicalTarget.ParseAuthority(Encoding.Latin1.GetBytes($"{(again.Host.Contains(':', StringComparison.Ordinal) ? $"[{again.Host}]" : again.Host)}:{again.Port.ToString(CultureInfo.InvariantCulture)}")));
    }

    private static void Judge(TargetResult result, bool isIngress, Func<Tidegate.Exchanges.ExchangeTarget, TargetResult> again)
    {
        if (!result.IsTarget)
        {
            Holds(result.Rejection.Status is >= 400 and < 500, "a bad target is not a 4xx");
            return;
        }

        var target = result.Target;
        AreEqual(target.ToString(), again(target).Target?.ToString() ?? "refused", "the canonical form is not canonical");
        Holds(target.Path is "" or "*" || Plain().IsMatch(target.Path), $"'{target.Path}' is no canonical path");
        Holds(!isIngress || !target.Path.Contains("//", StringComparison.Ordinal), $"'{target.Path}' has an empty segment");
        Holds(target.Host.Length == 0 || Host().IsMatch(target.Host), $"'{target.Host}' is no canonical host");
        Holds(target.Port is > 0 and < 65536, "an impossible port is accepted");
        foreach (var segment in Uri.UnescapeDataString(target.Path).Split('/'))
        {
            Holds(segment.Split(';')[0] is not ("." or ".."), $"'{target.Path}' has a segment that servers read as a dot segment");
        }
    }

    [GeneratedRegex("^/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%(?![46][1-9A-F]|[57][0-9A]|2[DE]|3[0-9]|5F|7[EF]|[01]|5C)[0-9A-F]{2})*\\z", RegexOptions.CultureInvariant)]
    private static partial Regex Plain();

    [GeneratedRegex("^([a-z0-9_-]+(\\.[a-z0-9_-]+)*|[0-9a-f:.]+)\\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Host();
}
