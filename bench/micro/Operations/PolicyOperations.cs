using System.Net;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Access;
using Tidegate.Policies.AdaptiveConcurrency;
using Tidegate.Policies.AdaptiveThrottle;
using Tidegate.Policies.Authentication;

namespace Tidegate.Benchmarks.Operations;

internal static class PolicyOperations
{
    private static readonly Consumer Billing = new("billing", "acme", "production");

    public static IEnumerable<(string Name, Func<Action> Start)> All =>
    [
        ("authenticate: key lookup, 1,000 consumers", () => Lookup("key-of-billing-4f8a1c7730d94b1e"u8.ToArray(), isKnown: true)),
        ("authenticate: key lookup, unknown key", () => Lookup("key-of-nobody--4f8a1c7730d94b1e"u8.ToArray(), isKnown: false)),
        ("authenticate: policy", () => Invoke(Authentication(), _ => true)),
        ("access: policy", () => Invoke(new AccessPolicy(new AccessSettings { Consumers = ["billing", "shipping"], Methods = ["GET", "POST"] }), _ => true)),
        ("adaptive throttle: policy", () => Invoke(new AdaptiveThrottlePolicy(new AdaptiveThrottleSettings(), new Throttle(TimeProvider.System, static () => 0.5), TimeProvider.System), _ => true)),
        ("adaptive concurrency: policy", () => Invoke(new AdaptiveConcurrencyPolicy(new AdaptiveConcurrencySettings(), new ConcurrencyGradient(TimeProvider.System, static () => 0.5), TimeProvider.System), exchange => exchange.Rejection is null)),
        ("access: refuses", () => Invoke(new AccessPolicy(new AccessSettings { Consumers = ["shipping"] }), exchange => exchange.Rejection?.Code == "consumer_not_allowed")),
    ];

    /// <summary>Asks for the key that the typical head carries.</summary>
    public static AuthenticationPolicy Authentication() => new(Keys(), new AuthenticationSettings());

    private static CredentialIndex Keys() => new(
    [
        new ApiKeyCredential("key-of-billing-4f8a1c7730d94b1e", Billing),
        .. Enumerable.Range(0, 999).Select(i => new ApiKeyCredential($"key-of-consumer-{i:x16}", new Consumer($"consumer{i}", "acme", "production"))),
    ]);

    private static Action Lookup(byte[] key, bool isKnown)
    {
        var index = Keys();
        return () =>
        {
            if (index.Find(key) is null == isKnown)
            {
                throw new InvalidOperationException("The lookup found something else than the operation measures.");
            }
        };
    }

    private static Action Invoke(IPolicy policy, Func<Exchange, bool> isAsMeant)
    {
        var typical = HeadOperations.Typical();
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = new DiscardingWriter() };
        ExchangeHandler next = static _ => default;
        return () =>
        {
            exchange.Reset();
            exchange.Direction = Direction.Ingress;
            exchange.Method = "GET";
            exchange.Consumer = Billing;
            exchange.RequestHeaders.AddAll(typical);
            AllOperations.Completed(policy.InvokeAsync(exchange, next));
            exchange.EndAnswer(downTo: 0);
            if (exchange.Consumer != Billing || !isAsMeant(exchange))
            {
                throw new InvalidOperationException("The policy decided something else than the operation measures.");
            }
        };
    }
}
