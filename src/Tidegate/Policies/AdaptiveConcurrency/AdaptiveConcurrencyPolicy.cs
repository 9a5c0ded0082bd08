using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.AdaptiveConcurrency;

/// <summary>
/// Keeps no more attempts in flight than the upstream works on at once: what is more would wait inside it, and make everybody wait. An attempt is in flight until its answer
/// begins, because that is what is measured: how long a client takes to read, or a stream stays open, says nothing about how much the upstream has to do.
/// </summary>
internal sealed class AdaptiveConcurrencyPolicy(AdaptiveConcurrencySettings settings, ConcurrencyGradient gradient, TimeProvider time) : IPolicy
{
    private static readonly Rejection Limited = new(
        "adaptive_concurrency", "limited_adaptively", 503, "The upstream has as many calls in flight as it can work on without making them wait. Try again after the time in Retry-After.", TimeSpan.FromSeconds(1))
    { SparesUpstream = true };

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
            if (!settings.Mode.Refuses(exchange, Limited))
            {
                // As if it had been refused: it neither counts nor is measured.
                await next(exchange);
            }

            return;
        }

        try
        {
            await next(exchange);
            var now = time.GetTimestamp();
            var sent = Volatile.Read(ref exchange.Timings.ContentSent);

            // What a client takes to send its content is not the upstream's time; an answer that came before the last of it says nothing.
            if (Says(exchange) && sent <= (exchange.Failure is null ? exchange.Timings.ResponseStarted : now))
            {
                gradient.Took(settings, generation, now - Math.Max(began, sent), now);
            }
        }
        finally
        {
            gradient.Leave(time.GetTimestamp());
        }
    }

    public PolicyExplanation Explain(Exchange exchange) => new(
        $"{gradient.InFlight} of {gradient.Limit} in flight, sought between {settings.Min} and {settings.Max}; {(gradient.Minimum > TimeSpan.Zero ? $"the upstream takes {gradient.Minimum.TotalMilliseconds:0.#} ms when it has little to do" : "nothing measured yet")}{(settings.Mode == PolicyMode.Observe ? " (observe)" : "")}");

    // Refusals are quick, and errors may be: they would pass for an upstream with little to do. What did not come in time says that it has too much.
    private static bool Says(Exchange exchange) => exchange.Failure is { } failure
        ? failure.Kind == FailureKind.ResponseHeadersTimeout
        : exchange.Outcome == Outcome.Forwarded && exchange.ResponseStatus is < 500 and not 429;
}
