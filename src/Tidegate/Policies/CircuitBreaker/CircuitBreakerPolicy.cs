using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.CircuitBreaker;

/// <summary>Leaves an upstream alone that is down: its callers learn at once what they would have learned after a timeout, and it has peace to come back.</summary>
internal sealed class CircuitBreakerPolicy(CircuitBreakerSettings settings, Circuit circuit, TimeProvider time) : IPolicy, IAnswerEnding
{
    public string Name => "circuit_breaker";

    /// <summary>The one it asks.</summary>
    public Circuit Circuit => circuit;

    public PolicyStage Stage => PolicyStage.Attempt;

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    public async ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next)
    {
        if (exchange.OpensTunnel)
        {
            await next(exchange);
            return;
        }

        var pass = circuit.Enter(settings, time.GetTimestamp(), out var wait);
        if (pass is null && settings.Mode.Refuses(exchange, Open(wait)))
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
            // Nothing may be kept from the others for it.
            circuit.Abandoned(let);
        }
        else if (exchange.Failure?.Source == FailureSource.Upstream || (exchange.Outcome == Outcome.Forwarded && IsDown(exchange.ResponseStatus)))
        {
            circuit.Failed(let, settings, time.GetTimestamp());
        }
        else if (exchange.Outcome == Outcome.Forwarded)
        {
            circuit.Succeeded(let, settings, time.GetTimestamp());

            // It is there, but an answer that breaks is a failure after all.
            exchange.CircuitGeneration = let.Generation;
            exchange.WhenAnswerEnds(this);
        }
        else
        {
            circuit.Abandoned(let);
        }
    }

    public PolicyExplanation Explain(Exchange exchange) => new(
        $"{circuit.State switch { CircuitState.Open => "open", CircuitState.HalfOpen => "half open", _ => "closed" }}; opens for {settings.OpenFor.TotalSeconds:0.###} s when {settings.FailureRatio:P0} of at least {settings.Minimum} attempts within {settings.Window.TotalSeconds:0.###} s fail{(settings.Mode == PolicyMode.Observe ? " (observe)" : "")}");

    void IAnswerEnding.AnswerEnded(Exchange exchange)
    {
        if (exchange.Failure?.Source == FailureSource.Upstream)
        {
            circuit.Broke(new CircuitPass(exchange.CircuitGeneration), settings, time.GetTimestamp());
        }
    }

    private static Rejection Open(TimeSpan wait) => new(
        "circuit_breaker", "circuit_open", 503, "The upstream has failed too often of late and is left alone for a while. Try again after the time in Retry-After.", wait)
    { SparesUpstream = true };

    // What says that nobody is there to answer. 500 is an answer, 429 one about the caller.
    private static bool IsDown(int status) => status is 502 or 503 or 504;
}
