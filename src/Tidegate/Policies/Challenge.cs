using Tidegate.Exchanges;

namespace Tidegate.Policies;

/// <summary>How a caller without a usable credential is asked for one: 407 for proxy calls and tunnels (RFC 9110 15.5.8), 401 for everything else.</summary>
internal static class Challenge
{
    /// <summary>Whether the caller uses us as a proxy: its credential is in <c>Proxy-Authorization</c>. Base-URL calls and ingress talk to us as to a server.</summary>
    public static bool IsProxyCall(Exchange exchange) => exchange.Direction == Direction.Egress && exchange.BasePath is null;

    /// <summary>A refusal that asks for a credential.</summary>
    /// <param name="policy">The refusing policy's name.</param>
    /// <param name="code">The stable code.</param>
    /// <param name="scheme">The challenge for calls that are not proxy calls.</param>
    /// <param name="detail">One sentence for the caller.</param>
    public static ChallengePair Pair(string policy, string code, string scheme, string detail) => new(
        new Rejection(policy, code, 407, detail + " Send it as Proxy-Authorization: Basic (the key as password) or Bearer.") { Challenge = "Basic realm=\"tidegate\"" },
        new Rejection(policy, code, 401, detail) { Challenge = scheme });
}

/// <summary>The same refusal for both kinds of caller, made once.</summary>
internal sealed record ChallengePair(Rejection ForProxyCall, Rejection ForServerCall)
{
    public Rejection For(Exchange exchange) => Challenge.IsProxyCall(exchange) ? ForProxyCall : ForServerCall;
}
