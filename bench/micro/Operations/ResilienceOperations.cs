using System.Net;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.AdaptiveConcurrency;
using Tidegate.Policies.AdaptiveThrottle;
using Tidegate.Policies.CircuitBreaker;
using Tidegate.Policies.Fallback;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Retry;

namespace Tidegate.Benchmarks.Operations;

/// <summary>What resilience adds to a call that needs none: the upstream answers 200 at once.</summary>
internal static class ResilienceOperations
{
    public static IEnumerable<(string Name, Func<Action> Start)> All =>
    [
        ("resilience: none", () => Healthy()),
        ("resilience: retry", () => Healthy(Retry())),
        ("resilience: circuit breaker", () => Healthy(Breaker())),
        ("resilience: limits, retry, circuit breaker", () => Healthy(Limits(), Retry(), Breaker())),
        ("resilience: those, fallback and adaptive policies", () => Healthy(Limits(), Retry(), Breaker(), Fallback(), Throttle(), Concurrency())),
    ];

    private static RetryPolicy Retry() => new(new RetrySettings(), new RetryBudget(TimeProvider.System), new Backoff(static () => 0.5), TimeSpan.FromSeconds(30), TimeProvider.System);

    private static CircuitBreakerPolicy Breaker() => new(new CircuitBreakerSettings(), new Circuit(TimeProvider.System), TimeProvider.System);

    private static FallbackPolicy Fallback() => new(new FallbackSettings(), TimeProvider.System);

    private static AdaptiveThrottlePolicy Throttle() => new(new AdaptiveThrottleSettings(), new Throttle(TimeProvider.System, static () => 0.5), TimeProvider.System);

    private static AdaptiveConcurrencyPolicy Concurrency() => new(new AdaptiveConcurrencySettings(), new ConcurrencyGradient(TimeProvider.System, static () => 0.5), TimeProvider.System);

    private static LimitsPolicy Limits() => LimitOperations.Four();

    private static Action Healthy(params IPolicy[] policies)
    {
        var pipeline = new PolicyPipeline(policies, static exchange =>
        {
            exchange.Attempts++;
            exchange.Answer(Outcome.Forwarded, 200);
            return default;
        });
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = new DiscardingWriter(), Consumer = new Consumer("billing", "acme", "production") };
        return () =>
        {
            exchange.Reset();
            exchange.Direction = Direction.Egress;
            exchange.Method = "GET";
            AllOperations.Completed(pipeline.InvokeAsync(exchange));
            exchange.EndAnswer(downTo: 0);
            if (exchange.ResponseStatus != 200)
            {
                throw new InvalidOperationException("The call did not pass.");
            }
        };
    }
}
