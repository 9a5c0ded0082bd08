using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.AdaptiveConcurrency;

/// <summary>Keeps no more attempts in flight than the upstream works on at once: what is more would wait inside it, and make everybody wait.</summary>
internal sealed class AdaptiveConcurrencyPolicy(AdaptiveConcurrencySettings settings, ConcurrencyGradient gradient, TimeProvider time) : IPolicy, IAnswerEnding
{
    private static readonly Rejection Limited = new(
        "adaptive_concurrency", "limited_adaptively", 503, "The upstream has as many calls in flight as it can work on without making them wait. Try again after the time in Retry-After.", TimeSpan.FromSeconds(1));

    public string Name => "adaptive_concurrency";

    public PolicyStage Stage => PolicyStage.Attempt;

    /// <summary>What was found out.</summary>
    public ConcurrencyGradient Gradient => gradient;

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    public async ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next)
    {
        if (exchange.IsTunnel || exchange.UpgradeProtocol is not null)
        {
            // How long both sides talk to each other says nothing about how much the upstream has to do.
            await next(exchange);
            return;
        }

        var began = time.GetTimestamp();
        if (!gradient.TryEnter(settings, began, out var generation))
        {
            if (settings.Mode == PolicyMode.Enforce)
            {
                exchange.Reject(Limited);
                return;
            }

            // As if it had been refused: it neither counts nor is measured.
            exchange.Observe(Name, Limited);
            await next(exchange);
            return;
        }

        exchange.WhenAnswerEnds(this);
        await next(exchange);
        if (Says(exchange))
        {
            var now = time.GetTimestamp();
            gradient.Took(settings, generation, now - began, now);
        }
    }

    public PolicyExplanation Explain(Exchange exchange) => new(
        $"{gradient.InFlight} of {gradient.Limit} in flight, sought between {settings.Min} and {settings.Max}; {(gradient.Minimum > TimeSpan.Zero ? $"the upstream takes {gradient.Minimum.TotalMilliseconds:0.#} ms when it has little to do" : "nothing measured yet")}{(settings.Mode == PolicyMode.Observe ? " (observe)" : "")}");

    void IAnswerEnding.AnswerEnded(Exchange exchange) => gradient.Leave();

    // Refusals are quick, and errors may be: they would pass for an upstream with little to do. What did not come in time says that it has too much.
    private static bool Says(Exchange exchange) => exchange.Failure is { } failure
        ? failure.Kind == FailureKind.ResponseHeadersTimeout
        : exchange.Outcome == Outcome.Forwarded && exchange.ResponseStatus is < 500 and not 429;
}
