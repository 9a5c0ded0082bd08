using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.AdaptiveThrottle;

/// <summary>Sends an upstream that refuses calls only somewhat more of them than it accepts: refusing costs it work that it needs for the rest.</summary>
internal sealed class AdaptiveThrottlePolicy(AdaptiveThrottleSettings settings, Throttle throttle, TimeProvider time) : IPolicy
{
    private static readonly Rejection Refusal = new(
        "adaptive_throttle", "throttled_adaptively", 503, "The upstream refuses more of what it is sent than it accepts, so part of it is refused here. Try again after the time in Retry-After.", TimeSpan.FromSeconds(1))
    { SparesUpstream = true };

    public string Name => "adaptive_throttle";

    public PolicyStage Stage => PolicyStage.Attempt;

    /// <summary>What is known of the upstream's refusals.</summary>
    public Throttle Throttle => throttle;

    /// <summary>How likely the next attempt is refused here, 0 to below 1.</summary>
    public double Probability => throttle.Probability(settings, time.GetTimestamp());

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    public async ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next)
    {
        if (exchange.OpensTunnel)
        {
            await next(exchange);
            return;
        }

        var pass = throttle.Enter(settings, time.GetTimestamp());
        if (pass is null && settings.Mode.Refuses(exchange, Refusal))
        {
            return;
        }

        await next(exchange);
        if (pass is not { } let)
        {
            // Observed only: had it been refused, it would have had no result.
            return;
        }

        if (exchange.IsForAnotherDestination)
        {
            throttle.Abandoned(let);
        }
        else if (exchange.Failure?.Source == FailureSource.Upstream || (exchange.Outcome == Outcome.Forwarded && IsRefusal(exchange.ResponseStatus)))
        {
            throttle.Refused(let);
        }
        else if (exchange.Outcome != Outcome.Forwarded)
        {
            throttle.Abandoned(let);
        }
    }

    public PolicyExplanation Explain(Exchange exchange) => new(string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"refuses {throttle.Probability(settings, time.GetTimestamp()) * 100:0.#}% now; sends {settings.Headroom * 100:0.#}% more than was accepted within {settings.Window.TotalSeconds:0.###} s{(settings.Mode == PolicyMode.Observe ? " (observe)" : "")}"));

    // Too much for the caller's share, or for the upstream altogether. 500 is an answer that cost it as much as a good one.
    private static bool IsRefusal(int status) => status is 429 or 502 or 503 or 504;
}
