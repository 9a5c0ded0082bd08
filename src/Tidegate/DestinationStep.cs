using System.Globalization;
using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Policies;
using Tidegate.Transport;

namespace Tidegate;

/// <summary>
/// Chooses which of an upstream's several destinations each attempt goes to, before the keys and limits that depend on it, and learns from the answer. One whose
/// account has no room now is passed over for one that has; only when none has does a call wait, or learn until when.
/// </summary>
internal sealed class DestinationStep : IPolicy
{
    private const string CoolingDown = "provider_cooling_down";

    private readonly Balancer _balancer;
    private readonly Upstream _upstream;
    private readonly bool _throttlesSetAside;
    private readonly TimeProvider _time;

    // For each destination, those of the same account; empty when all are one.
    private readonly ulong[] _accounts;

    /// <param name="balancer">What is known of destinations.</param>
    /// <param name="upstream">With several of them.</param>
    /// <param name="throttlesSetAside">A throttle is about the destination's account as a whole, and nothing else holds calls back from it.</param>
    /// <param name="time">The clock.</param>
    public DestinationStep(Balancer balancer, Upstream upstream, bool throttlesSetAside, TimeProvider time)
    {
        _balancer = balancer;
        _upstream = upstream;
        _throttlesSetAside = throttlesSetAside;
        _time = time;
        _accounts = [.. upstream.Accounts.Select(account => upstream.Accounts.Select((other, i) => other == account ? 1UL << i : 0).Aggregate((bits, bit) => bits | bit))];
    }

    public string Name => Balancer.Policy;

    public PolicyStage Stage => PolicyStage.Attempt;

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next) => exchange.OpensTunnel ? next(exchange) : SendAsync(exchange, next);

    public PolicyExplanation Explain(Exchange exchange)
    {
        var ejection = _upstream.Ejection;
        var now = _time.GetTimestamp();
        var known = _upstream.Destinations.Select((destination, i) => _balancer.HealthOf(_upstream, i) switch
        {
            var health when health.AskedSeconds(now) is > 0 and var seconds => string.Create(CultureInfo.InvariantCulture, $"{destination} asked for a pause of {seconds:0.#} s more"),
            var health when health.IsLeftOut(now) => $"{destination} left out",
            var health when health.IsOnTrial(now) => $"{destination} on trial",
            _ => null,
        });
        return new PolicyExplanation(string.Create(
            CultureInfo.InvariantCulture,
            $"one of {_upstream.Destinations.Count} is left out for {ejection.For.TotalSeconds:0.###} s after {ejection.Failures} failures in a row or {ejection.FailureRatio * 100:0.#}% of at least {ejection.Minimum} within {ejection.Window.TotalSeconds:0.###} s, then one attempt at a time tries it; and for as long as it asks{(_accounts.Length > 0 ? "; they are several accounts" : "")}{(ejection.IsObserved ? " (observe)" : "")}{string.Concat(known.OfType<string>().Select(text => "; " + text))}"));
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask SendAsync(Exchange exchange, ExchangeHandler next)
    {
        var mustNotQueue = exchange.MustNotQueue;
        exchange.SetsDestinationAside = !_upstream.Ejection.IsObserved;
        var (without, roomiest, soonest, aside) = (0UL, -1, TimeSpan.MaxValue, TimeSpan.MaxValue);
        for (var isLast = false; ;)
        {
            // :: Step 1: A destination. While another account's has not been asked, nobody waits for one that has no room; when none has, for the one that will have first.
            var wait = TimeSpan.Zero;
            if ((isLast ? _balancer.Take(exchange, _upstream, roomiest) : _balancer.Choose(exchange, _upstream, without, out wait)) is not { } pass)
            {
                if (roomiest < 0)
                {
                    exchange.Reject(AllSetAside(wait));
                    return;
                }

                // Its limit may let it wait, which a pause does not.
                (isLast, aside) = (true, wait);
                continue;
            }

            var same = _accounts.Length > 0 ? _accounts[pass.Index] : 0;
            var mayPassOver = !isLast && same != 0 && (without != 0 || _balancer.HasRoom(_upstream, same));
            exchange.DestinationAccount = same != 0 ? _upstream.Accounts[pass.Index] : "";
            exchange.MustNotQueue = mustNotQueue || mayPassOver;

            // :: Step 2: The attempt, and what it says.
            var isOver = false;
            try
            {
                await next(exchange);
                isOver = true;
            }
            finally
            {
                exchange.MustNotQueue = mustNotQueue;
                if (!isOver)
                {
                    _balancer.Abandon(_upstream, pass);
                }
            }

            Learn(exchange, pass, same);
            if (exchange.Rejection is not { Policy: "limits", Status: 429 } full)
            {
                return;
            }

            if (!mayPassOver)
            {
                if (full.Code == CoolingDown && aside < (full.RetryAfter ?? TimeSpan.MaxValue))
                {
                    // One that asked for a pause is back before any limit has room.
                    exchange.ForgetAnswer();
                    exchange.Reject(AllSetAside(aside));
                }

                return;
            }

            if (full.Code != CoolingDown)
            {
                // A limit of the whole API has no more room for another account. What may wait for it does, and here.
                (isLast, roomiest) = (true, pass.Index);
                exchange.ForgetAnswer();
                continue;
            }

            // :: Step 3: It was not sent because of what its account's limits are known to be. Another's may have room.
            var free = full.RetryAfter ?? TimeSpan.MaxValue;
            (roomiest, soonest) = roomiest < 0 || free < soonest ? (pass.Index, free) : (roomiest, soonest);
            without |= same;
            exchange.ForgetAnswer();
        }
    }

    private void Learn(Exchange exchange, DestinationPass pass, ulong same)
    {
        _balancer.Note(exchange, _upstream, pass);
        if (exchange.Outcome == Outcome.Forwarded)
        {
            LearnAnswer(exchange, pass, same);
        }

        exchange.IsDestinationLeftOut = !_upstream.Ejection.IsObserved && _balancer.IsLeftOut(_upstream, pass.Index);
    }

    private void LearnAnswer(Exchange exchange, DestinationPass pass, ulong same)
    {
        var isThrottle = exchange.ResponseStatus == 429 || exchange.Signal is ProviderSignal.Throttle or ProviderSignal.Concurrency or ProviderSignal.Quota or ProviderSignal.Billing;
        if (isThrottle && same != 0 && !exchange.HasOtherKey)
        {
            // Nothing was done, and another account may have room; another key of the same one comes first.
            _balancer.NoteTried(exchange, _upstream, same);
        }

        var destinations = !isThrottle ? (Balancer.IsDown(exchange) || exchange.Signal == ProviderSignal.Overload ? 1UL << pass.Index : 0)
            : _throttlesSetAside && exchange.Signal != ProviderSignal.Billing ? same
            : 0;
        if (destinations != 0 && (exchange.AskedPause ?? (RetryAfter.TryRead(exchange.ResponseHeaders, _time.GetUtcNow(), out var asked) ? asked : default)) is var pause && pause > TimeSpan.Zero)
        {
            _balancer.SetAside(exchange, _upstream, destinations, pause);
        }
    }

    private static Rejection AllSetAside(TimeSpan wait) => new(
        Balancer.Policy, Balancer.WouldRefuse, 503, "Every destination of this API has asked not to be called for a while. Try again after the time in Retry-After.", wait)
    { SparesUpstream = true };
}
