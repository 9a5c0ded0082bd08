using System.Net;
using System.Text;
using Tidegate.Edge;
using Tidegate.Exchanges;

namespace Tidegate.Benchmarks.Operations;

internal static class TargetOperations
{
    public static IEnumerable<(string Name, Func<Action> Start)> All =>
    [
        ("target: origin form", () => () => CanonicalTarget.ParseOrigin("/v1/charges/ch_1MmlLrLkdIwHu7ix?expand=customer"u8, "https", "api.example.com"u8, isIngress: true)),
        ("target: origin form with escapes", () => () => CanonicalTarget.ParseOrigin("/v1//a/./b/../caf%c3%a9/%7euser/x%20y?q=%20"u8, "https", "API.example.com:443"u8, isIngress: true)),
        ("target: absolute form", () => () => CanonicalTarget.ParseAbsolute("http://api.example.com/v1/charges?limit=10"u8)),
        ("target: known to the cache", CachedTarget),
    ];

    /// <summary>A target on the API that the typical head names.</summary>
    public static ExchangeTarget Of(string pathAndQuery, string host = "api0.example.com") =>
        CanonicalTarget.ParseOrigin(Encoding.ASCII.GetBytes(pathAndQuery), "https", Encoding.ASCII.GetBytes(host), isIngress: true).Target ?? throw new InvalidOperationException(pathAndQuery + " is refused.");

    private static Action CachedTarget()
    {
        var cache = new TargetCache();
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = new DiscardingWriter(), Direction = Direction.Ingress, Method = "GET" };
        return () => cache.Read(exchange, "/v1/charges/ch_1MmlLrLkdIwHu7ix?expand=customer"u8, "api.example.com"u8);
    }
}
