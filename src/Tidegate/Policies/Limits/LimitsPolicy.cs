using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits.Costs;
using Tidegate.Policies.Limits.Learning;
using Tidegate.Policies.Limits.Signals;
using Tidegate.Transport;

namespace Tidegate.Policies.Limits;

/// <summary>
/// Holds a route's exchanges, or their attempts, to all of its limits at once. What finds no room is refused with the time after which it would, or waits its
/// turn where the limit says so.
/// </summary>
internal sealed class LimitsPolicy : IPolicy
{
    // Nobody can tell when one of others ends; a second keeps a polite caller from asking too often.
    private static readonly TimeSpan UnknownWait = TimeSpan.FromSeconds(1);

    private readonly Limit[] _limits;

    // For each, the first that tells exchanges apart by the same: their keys differ in what is known beforehand.
    private readonly int[] _alike;
    private readonly LimitStore _store;
    private readonly QueueSettings _queueSettings;
    private readonly bool _isKept;
    private readonly ProviderLearning? _learning;
    private readonly bool _deniesUnkept;
    private readonly JsonPointer[] _contentCosts;
    private readonly bool _hasAnswerCosts;
    private readonly bool _isRefusedBehind;

    /// <param name="stage">Admit counts exchanges, Attempt every request that is sent.</param>
    /// <param name="limits">At most <see cref="LimitLease.MaxLimits"/>.</param>
    /// <param name="store">Where their counts are.</param>
    /// <param name="queue">Where exchanges wait; null when no limit queues.</param>
    /// <param name="queueSettings">How.</param>
    /// <param name="learning">Follows what the provider says; null when nothing is learned.</param>
    /// <param name="isRefusedBehind">A policy behind this one may refuse what passes here.</param>
    public LimitsPolicy(PolicyStage stage, IReadOnlyList<Limit> limits, LimitStore store, LimitQueue? queue, QueueSettings queueSettings, ProviderLearning? learning = null, bool isRefusedBehind = false)
    {
        _isRefusedBehind = isRefusedBehind;
        Stage = stage;

        // Those for some calls only come last: the places of the others in a lease are then the same for every exchange.
        _limits = [.. limits.OrderBy(limit => limit.Settings.IsFor is not null)];
        _alike = [.. _limits.Select((limit, i) => limit.HasOverrides || limit.Settings.IsFor is not null ? -1 : Array.FindIndex(_limits, 0, i, limit.IsAlike))];
        _store = store;
        _queueSettings = queueSettings;
        _learning = learning;
        Queue = queue;
        _deniesUnkept = _limits.SelectMany(limit => limit.Variants).Any(limit => limit.Settings is { OnError: OnError.Deny, Mode: PolicyMode.Enforce } && limit.Algorithm.IsKept);
        _contentCosts = [.. _limits.Select(limit => limit.Settings.Cost.RequestJson).OfType<JsonPointer>()];
        _hasAnswerCosts = _limits.Any(limit => limit.Settings.Cost.ResponseJson is not null);
        _isKept = _limits.Any(limit => limit.IsHeld || limit.IsSettled);
        EndsByClock = _limits.Any(limit => limit.EndsByClock);
    }

    public string Name => "limits";

    public PolicyStage Stage { get; }

    /// <summary>Where exchanges wait; null when no limit queues.</summary>
    public LimitQueue? Queue { get; }

    public IReadOnlyList<Limit> Limits => _limits;

    /// <summary>Whether something that the end of an answer changes depends on when that is.</summary>
    public bool EndsByClock { get; }

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next)
    {
        if (exchange.OpensTunnel || (exchange.IsTunnel && _learning is { Settings.LimitsAreTheProviders: true }))
        {
            return next(exchange);
        }

        if (_deniesUnkept && _store.IsLedgerDown)
        {
            exchange.Reject(NotKept);
            return default;
        }

        return _contentCosts.Length > 0 && !exchange.IsTunnel && ReadsContent(exchange) ? ReadAndTakeAsync(exchange, next) : Take(exchange, next, content: null);
    }

    private bool ReadsContent(Exchange exchange)
    {
        foreach (var limit in _limits)
        {
            if (limit.Settings.Cost.RequestJson is not null && limit.IsFor(exchange))
            {
                return true;
            }
        }

        return false;
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask ReadAndTakeAsync(Exchange exchange, ExchangeHandler next)
    {
        var content = await CostedRequest.ReadAsync(exchange, _contentCosts);
        foreach (var limit in _limits)
        {
            if (!limit.IsFor(exchange) || !limit.IsUnread(exchange, content))
            {
                continue;
            }

            if ((exchange.UnreadCosts & UnreadCosts.Request) == 0)
            {
                _store.NoteUnreadCost(exchange, UnreadCosts.Request);
            }

            // What is cut short, or too large, is refused for that.
            if (limit.Settings.Cost.OnUnread == OnUnread.Deny && content?.IsBroken != true)
            {
                if (limit.Settings.Mode == PolicyMode.Enforce)
                {
                    exchange.Reject(Unread(limit));
                    return;
                }

                exchange.Observe(Name, Unread(limit));
            }
        }

        await Take(exchange, next, content);
    }

    private ValueTask Take(Exchange exchange, ExchangeHandler next, CostedRequest? content)
    {
        var lease = LimitLease.Rent(this, _store);
        if (content is not null)
        {
            lease.Content = content;
        }

        if (_learning is not null && !exchange.IsTunnel)
        {
            // First, so that the time of a refusal is the provider's where both would refuse.
            lease.Follow(_learning.For(exchange));
        }

        var first = lease.Count;
        for (var i = 0; i < _limits.Length; i++)
        {
            if (!_limits[i].IsFor(exchange))
            {
                continue;
            }

            lease.Add(_limits[i], exchange, _alike[i] is >= 0 and var alike ? first + alike : -1);
        }

        var now = _store.Time.GetTimestamp();
        var entry = default(QueueEntry);
        LimitWaiter? waiter = null;
        if (Queue is null || Queue.Count == 0)
        {
            var refusing = lease.TryTake(now, out var wait);
            entry = new QueueEntry(refusing, wait);
        }
        else
        {
            // What must not wait does not go past those who do either.
            waiter = Queue.Enter(lease, exchange, _queueSettings, mayWait: !exchange.MustNotQueue, now, out entry);
        }

        if (entry.Refusing < 0)
        {
            return Pass(exchange, lease, next);
        }

        if (waiter is null && Queue is not null && !exchange.MustNotQueue && lease.LimitAt(entry.Refusing).Settings.WhenExceeded == WhenExceeded.Queue)
        {
            waiter = Queue.Enter(lease, exchange, _queueSettings, mayWait: true, now, out entry);
            if (entry.Refusing < 0)
            {
                return Pass(exchange, lease, next);
            }
        }

        if (waiter is not null)
        {
            exchange.QueuePosition = Math.Max(exchange.QueuePosition, entry.Position + 1);
            return WaitAsync(exchange, lease, waiter, now, next);
        }

        exchange.Reject(Refusal(lease.LimitAt(entry.Refusing), entry.ExpectedTicks));
        lease.Return();
        return default;
    }

    public PolicyExplanation Explain(Exchange exchange)
    {
        var now = _store.Time.GetTimestamp();
        var parts = _limits.Select(written =>
        {
            if (!written.IsFor(exchange))
            {
                return $"{written.Settings.Name} ({written.Settings.Text}): not for this call";
            }

            var limit = written.Of(exchange, out var key);
            var per = limit.Settings.Per.Count == 0 ? "" : " per " + string.Join(", ", limit.Settings.Per.Select(part => part.Text));
            var used = _store.Cells.Used(limit.Algorithm, key, now);
            var exceeded = limit.Settings.WhenExceeded == WhenExceeded.Queue ? $", queues up to {limit.Settings.MaxWait.TotalSeconds:0.###} s" : "";
            return $"{limit.Settings.Name} ({limit.Settings.Text}{per}{exceeded}{(limit.Settings.Mode == PolicyMode.Observe ? ", observe" : "")}): {used} of {limit.Settings.Amount} used{Share(limit, exchange, key, now)}, costs {limit.CostOf(exchange)}";
        });
        var refused = _deniesUnkept && _store.IsLedgerDown ? "refused now, because counts cannot be saved (on_error: deny); " : "";
        return new PolicyExplanation(refused + string.Join("; ", _learning is null ? parts : parts.Append(_learning.Explain())));
    }

    private string Share(Limit limit, Exchange exchange, UInt128 key, long now)
    {
        var share = limit.ShareOf(exchange);
        return limit.DescribeShare(share) is { Length: > 0 } text ? $" ({text}, {_store.Cells.Used(limit.AlgorithmOf(share), key, now)} used)" : "";
    }

    private ValueTask Pass(Exchange exchange, LimitLease lease, ExchangeHandler next)
    {
        for (var i = 0; i < lease.Count; i++)
        {
            if (!lease.HasTaken(i))
            {
                // In observe mode: it passes without having been counted, as if it had been refused.
                exchange.Observe(Name, Refusal(lease.LimitAt(i), LimitAlgorithm.UntilReleased));
            }
        }

        if (_isKept)
        {
            exchange.WhenAnswerEnds(lease);
        }
        else if (lease.Learned is null && !_isRefusedBehind)
        {
            lease.Return();
        }

        var isTapped = _hasAnswerCosts && !exchange.IsTunnel && lease.ReadsAnswer;
        if (isTapped || (lease.Learned is { Content: not null } && !exchange.IsTunnel))
        {
            // Of content in a coding nothing could be read.
            exchange.RequestHeaders.Set(KnownHeader.AcceptEncoding, "identity");
        }

        if (isTapped)
        {
            return PassAndTapAsync(exchange, lease, next);
        }

        return Send(exchange, lease, next);
    }

    private ValueTask Send(Exchange exchange, LimitLease lease, ExchangeHandler next) =>
        lease.Learned is not null ? PassAndLearnAsync(exchange, lease, next) : _isRefusedBehind ? PassOrGiveBackAsync(exchange, lease, next) : next(exchange);

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask PassAndTapAsync(Exchange exchange, LimitLease lease, ExchangeHandler next)
    {
        await Send(exchange, lease, next);
        lease.Tap(exchange);
    }

    /// <summary>A call that a policy behind this one refuses was no call of the provider's.</summary>
    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask PassOrGiveBackAsync(Exchange exchange, LimitLease lease, ExchangeHandler next)
    {
        var attempts = exchange.Attempts;
        try
        {
            await next(exchange);
            if (WasNotSent(exchange, attempts))
            {
                lease.GiveBack();
                Queue?.Wake(lease);
            }
        }
        finally
        {
            if (!_isKept)
            {
                lease.Return();
            }
        }
    }

    private static bool WasNotSent(Exchange exchange, int attempts) => exchange.Outcome == Outcome.Rejected && exchange.Attempts == attempts;

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask PassAndLearnAsync(Exchange exchange, LimitLease lease, ExchangeHandler next)
    {
        lease.Learned!.Value.Wide.Passed(lease.Learned.Value.Content);
        var sent = _store.Time.GetTimestamp();
        var attempts = exchange.Attempts;
        var content = ReadOnlyMemory<byte>.Empty;
        try
        {
            await next(exchange);
            if (_learning!.NeedsContent(exchange))
            {
                content = await ErrorContent.PeekAsync(exchange);
            }
        }
        finally
        {
            if (WasNotSent(exchange, attempts))
            {
                lease.GiveBack();
                ProviderLearning.NotSent(lease);
            }
            else
            {
                _learning!.Learn(exchange, lease, content.Span, sent, Queue);
            }

            Queue?.Wake(lease);
            if (!_isKept)
            {
                lease.Return();
            }
        }
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask WaitAsync(Exchange exchange, LimitLease lease, LimitWaiter waiter, long began, ExchangeHandler next)
    {
        var result = await waiter.WaitAsync();
        exchange.Timings.Queued += _store.Time.GetTimestamp() - began;
        switch (result)
        {
            case WaitResult.Admitted:
                await Pass(exchange, lease, next);
                return;
            case WaitResult.Refused:
                exchange.Reject(Refusal(waiter.RefusedBy.Limit, waiter.RefusedBy.WaitTicks));
                lease.Return();
                return;
            case WaitResult.TooLong:
                exchange.Reject(WaitedTooLong(waiter.RestTicks));
                lease.Return();
                return;
            default:
                exchange.Fail(ClientLeft);
                lease.Return();
                return;
        }
    }

    private static readonly Rejection NotKept = new("limits", "limit_unavailable", 503, "What a limit of this API counts cannot be saved, and it says on_error: deny. The gateway's log has the reason.", UnknownWait);

    private static Rejection Unread(Limit limit) => new(
        "limits", "cost_unread", 400, $"Limit {limit.Settings.Name} ({limit.Settings.Text}) counts the number at {limit.Settings.Cost.RequestJson!.Text} of a call's JSON, and there is none in its first {CostedRequest.MaxBytes / 1024} KB. Write one, without a Content-Encoding.");

    private static readonly Failure ClientLeft = new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "The client went away while its exchange waited for room.");

    private Rejection WaitedTooLong(long restTicks) => new(
        Name, "waited_too_long", 429, "The exchange waited for room as long as its limit's max_wait, or the API's timeouts.total, allows, and others were first. Try again later.", WaitOf(restTicks));

    private TimeSpan WaitOf(long ticks) => ticks >= LimitAlgorithm.UntilReleased ? UnknownWait : TimeSpan.FromSeconds(ticks / (double)_store.Time.TimestampFrequency);

    private Rejection Refusal(Limit limit, long waitTicks)
    {
        var settings = limit.Settings;
        if (waitTicks == LimitAlgorithm.Never)
        {
            return new Rejection(Name, "cost_above_limit", 429, $"The exchange costs more than limit {settings.Name} ({settings.Text}) ever lets pass.");
        }

        var wait = WaitOf(waitTicks);
        return settings.Kind switch
        {
            LimitKind.CoolDown => new Rejection(Name, "provider_cooling_down", 429, "The provider refused calls and asked for a pause, so it is not called before that is over. Try again after the time in Retry-After.", wait) { SparesUpstream = true },
            LimitKind.Learned => new Rejection(Name, "provider_cooling_down", 429, "The provider said that nothing is left of its limit, so it is not called before there is. Try again after the time in Retry-After.", wait) { SparesUpstream = true },
            LimitKind.Concurrency => new Rejection(Name, "too_many_in_flight", 429, $"Limit {settings.Name} ({settings.Text}) has as many exchanges in flight as it lets be. Try again when one has ended.", wait),
            LimitKind.Quota => new Rejection(Name, "quota_used_up", 429, $"Limit {settings.Name} ({settings.Text}) is used up until its period ends.", wait),
            _ => new Rejection(Name, "rate_limited", 429, $"Limit {settings.Name} ({settings.Text}) has no room now. Try again after the time in Retry-After.", wait),
        };
    }
}
