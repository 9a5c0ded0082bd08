using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Hedge;

/// <summary>
/// Sends a safe request a second time when the first is slower than most, and takes whichever answers first: a slow tail is mostly one instance's, or one
/// connection's, bad moment. Bounded to a share of calls, because a provider that is slow as a whole is not helped by more requests.
/// </summary>
internal sealed class HedgePolicy(HedgeSettings settings, HedgeRoutes routes, HedgeRoute route, TimeProvider time) : IPolicy
{
    public string Name => "hedge";

    public PolicyStage Stage => PolicyStage.Resilience;

    /// <summary>What is known of what it hedges.</summary>
    public HedgeRoute Route => route;

    /// <summary>After how long a request is sent a second time; null while that is not known.</summary>
    public TimeSpan? After => route.After(settings);

    /// <summary>An answer that another request would not improve on.</summary>
    public static bool IsGood(Exchange exchange) => exchange.Outcome == Outcome.Forwarded && exchange.ResponseStatus is not (429 or 502 or 503 or 504) && !exchange.IsKeyRefused;

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next)
    {
        if (!IsHedged(exchange))
        {
            return next(exchange);
        }

        if (exchange.Attempts == 0)
        {
            // A further attempt is the same call.
            route.Budget.Deposit(settings.Budget);
        }

        return route.After(settings) is { } after && settings.Mode == PolicyMode.Enforce
            ? new HedgeRun(settings, routes, route, time, after, next).RunAsync(exchange)
            : MeasureAsync(exchange, next);
    }

    public PolicyExplanation Explain(Exchange exchange)
    {
        if (!IsHedged(exchange))
        {
            return new PolicyExplanation("skipped: only GET, HEAD and OPTIONS without content are sent twice");
        }

        var percentile = settings.After is null ? $"p{settings.Percentile * 100:0.##}, " : "";
        var after = route.After(settings) is { } known ? $"{percentile}{(settings.After is null ? "now " : "")}{known.TotalMilliseconds:0.#} ms" : $"{percentile}not known before more answers have come";
        return new PolicyExplanation($"sent again when no answer has begun ({after}), up to {settings.Max} more; budget {settings.Budget:P0} of calls{(settings.Mode == PolicyMode.Observe ? " (observe)" : "")}");
    }

    /// <summary>RFC 9110 9.2.1: what only reads may be read twice. Content would have to be kept for it.</summary>
    private static bool IsHedged(Exchange exchange) =>
        exchange.Method is "GET" or "HEAD" or "OPTIONS" && exchange.RequestBody.IsEmpty && !exchange.IsTunnel && exchange.UpgradeProtocol is null;

    /// <summary>One request, whose time is taken: too little is known for a second, or nobody wants one.</summary>
    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask MeasureAsync(Exchange exchange, ExchangeHandler next)
    {
        var began = time.GetTimestamp();
        var queued = exchange.Timings.Queued;
        await next(exchange);
        var took = TimeSpan.FromSeconds((time.GetTimestamp() - began - (exchange.Timings.Queued - queued)) / (double)time.TimestampFrequency);
        if (settings.Mode == PolicyMode.Observe && route.After(settings) is { } after && took >= after)
        {
            var mayHedge = route.Budget.TryWithdraw();
            route.Count(mayHedge ? HedgeResult.Observe : HedgeResult.Budget);
            exchange.NoteRetry(new RetryNote("hedge", TimeSpan.Zero, mayHedge ? "observe" : "budget"));
        }

        if (IsGood(exchange))
        {
            route.Latencies.Observe(took);
        }
    }
}
