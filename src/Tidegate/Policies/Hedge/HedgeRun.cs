using System.Runtime.ExceptionServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Hedge;

/// <summary>The requests that are sent for one call, one after the other while none is answered. The first good head is the call's answer; the others are broken off.</summary>
internal sealed class HedgeRun
{
    // What a timer is late by anyway.
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(1);

    // What a good answer is worth; see Rank.
    private const int Best = 3;

    private readonly HedgeSettings _settings;
    private readonly HedgeRoutes _routes;
    private readonly HedgeRoute _route;
    private readonly TimeProvider _time;
    private readonly TimeSpan _after;
    private readonly ExchangeHandler _next;
    private readonly Lock _gate = new();
    private readonly HomeSignal _signal = new();
    private readonly List<HedgeAttempt> _attempts;
    private bool _mayHedge = true;

    public HedgeRun(HedgeSettings settings, HedgeRoutes routes, HedgeRoute route, TimeProvider time, TimeSpan after, ExchangeHandler next)
    {
        _settings = settings;
        _routes = routes;
        _route = route;
        _time = time;
        _after = after;
        _next = next;
        _attempts = new List<HedgeAttempt>(settings.Max + 1);
    }

    /// <summary>Sends, and sends again, until there is an answer, which then stands on the exchange.</summary>
    public async ValueTask RunAsync(Exchange exchange)
    {
        // :: Step 1: The first request, and a time after which it is too slow.
        Begin(exchange);
        HedgeAttempt? winner;
        using (var timer = _time.CreateTimer(static signal => ((HomeSignal)signal!).Set(), _signal, _after, Timeout.InfiniteTimeSpan))
        {
            // :: Step 2: Until one has a good head, or all are over. Whoever is woken looks at everything.
            while ((winner = TryDecide()) is null)
            {
                await _signal.WaitAsync();
                if (_mayHedge && NextLook(exchange) is { } wait)
                {
                    timer.Change(wait, Timeout.InfiniteTimeSpan);
                }
            }
        }

        // :: Step 3: Its answer is the call's. The others are over, or soon will be.
        Note(exchange, winner);
        await LoseOthersAsync(winner);
        exchange.TakeAttempt(winner.Exchange);
        if (winner.Bug is { } bug)
        {
            await winner.EndAsync();
            ExceptionDispatchInfo.Throw(bug);
        }

        if (winner.Exchange.Outcome == Outcome.Forwarded)
        {
            exchange.ResponseBody = winner.TakeContent();
            exchange.WhenAnswerEnds(winner);
        }
        else
        {
            await winner.EndAsync();
        }
    }

    private void Begin(Exchange exchange)
    {
        var attempt = HedgeAttempt.Rent(exchange, _attempts.Count == 0 ? null : _attempts[^1]);
        _attempts.Add(attempt);
        _ = SendAsync(attempt);
    }

    private async Task SendAsync(HedgeAttempt attempt)
    {
        try
        {
            await _next(attempt.Exchange);
        }
        catch (Exception bug)
        {
            attempt.Bug = bug;
        }

        bool isLate;
        lock (_gate)
        {
            attempt.IsOver = true;
            isLate = attempt.IsLate;
        }

        // Once it is over and not late, the run may be done with it at any moment.
        if (isLate)
        {
            // It has lost already: whatever it brings is thrown away here.
            await EndAsync(attempt);
        }
        else
        {
            _signal.Set();
        }
    }

    private async ValueTask EndAsync(HedgeAttempt attempt)
    {
        try
        {
            if (attempt.Bug is { } bug)
            {
                _routes.OnBug(bug);
            }

            await attempt.EndAsync();
        }
        catch (Exception bug)
        {
            _routes.OnBug(bug);
        }
    }

    /// <summary>The one whose answer is used; null while that is open.</summary>
    private HedgeAttempt? TryDecide()
    {
        lock (_gate)
        {
            HedgeAttempt? best = null;
            var areAllOver = true;
            foreach (var attempt in _attempts)
            {
                areAllOver &= attempt.IsOver;
                if (attempt.IsOver && (best is null || Rank(attempt) > Rank(best)))
                {
                    best = attempt;
                }
            }

            if (best is null || !(areAllOver || Rank(best) == Best))
            {
                return null;
            }

            foreach (var attempt in _attempts)
            {
                attempt.IsLate = !attempt.IsOver;
            }

            return best;
        }
    }

    /// <summary>A good answer, any answer, a failure, a refusal of ours: in this order, and the earlier request where they are alike.</summary>
    private static int Rank(HedgeAttempt attempt) =>
        attempt.Bug is not null ? 1
        : attempt.Exchange.Outcome != Outcome.Forwarded ? attempt.Exchange.Outcome == Outcome.Failed ? 1 : 0
        : HedgePolicy.IsGood(attempt.Exchange) ? Best : 2;

    /// <summary>Sends another request when the last has been on its way for so long.</summary>
    /// <returns>When to look again; null when there is nothing to look for.</returns>
    private TimeSpan? NextLook(Exchange exchange)
    {
        lock (_gate)
        {
            // There is an answer, if not a good one: what else is under way is all that there will be.
            _mayHedge = !_attempts.Exists(static attempt => attempt.IsOver);
        }

        if (!_mayHedge)
        {
            return null;
        }

        // While it waits in a queue of ours, another would only wait behind it.
        var sent = Volatile.Read(ref _attempts[^1].Exchange.Timings.Forwarded);
        var left = sent == 0 ? _after : _after - _time.GetElapsedTime(sent);
        return left > Soon ? left : Hedge(exchange) ? _after : null;
    }

    /// <summary>Sends another request, if that may be.</summary>
    /// <returns>Whether there may be one more after it.</returns>
    private bool Hedge(Exchange exchange)
    {
        if (!_route.Budget.TryWithdraw())
        {
            _mayHedge = false;
            _route.Count(HedgeResult.Budget);
            exchange.NoteRetry(new RetryNote("hedge", TimeSpan.Zero, "budget"));
            return false;
        }

        Begin(exchange);
        return _mayHedge = _attempts.Count <= _settings.Max;
    }

    private async ValueTask LoseOthersAsync(HedgeAttempt winner)
    {
        foreach (var attempt in _attempts)
        {
            if (attempt.IsLate)
            {
                attempt.Break();
            }
            else if (attempt != winner)
            {
                await EndAsync(attempt);
            }
        }
    }

    /// <summary>For the record and the metrics, and what is measured.</summary>
    private void Note(Exchange exchange, HedgeAttempt winner)
    {
        var first = _attempts[0];
        if (first.IsLate)
        {
            // How slow it would have been nobody will know: at least this.
            _route.Latencies.Observe(_time.GetElapsedTime(first.Exchange.Timings.Forwarded));
        }
        else if (Rank(first) == Best)
        {
            _route.Latencies.Observe(_time.GetElapsedTime(first.Exchange.Timings.Forwarded, first.Exchange.Timings.ResponseStarted));
        }

        for (var i = 1; i < _attempts.Count; i++)
        {
            var result = ResultOf(_attempts[i], winner);
            _route.Count(result);

            // The record says where the call's answer came from; here stands where the other request went.
            var other = (result == HedgeResult.Won ? first : _attempts[i]).Exchange;
            exchange.NoteRetry(new RetryNote("hedge", _after, "")
            {
                Began = other.Timings.Forwarded == 0 ? TimeSpan.Zero : _time.GetElapsedTime(exchange.Timings.Received, Volatile.Read(ref other.Timings.Forwarded)),
                Took = other.Timings.Forwarded == 0 ? TimeSpan.Zero : _time.GetElapsedTime(Volatile.Read(ref other.Timings.Forwarded)),
                Result = result switch { HedgeResult.Won => "won", HedgeResult.Failed => "failed", HedgeResult.Refused => "refused", _ => "lost" },
                Destination = other.Destination,
                Region = other.Region,
                Credential = other.ProviderKey?.Name ?? "",
            });
        }

        foreach (var attempt in _attempts)
        {
            if (attempt == winner)
            {
                // What is its own comes with its answer.
                continue;
            }

            exchange.Attempts += attempt.Exchange.Attempts;
            if (!attempt.IsLate)
            {
                // One that is late still writes there.
                exchange.TakeObserved(attempt.Exchange);
            }
        }
    }

    private static HedgeResult ResultOf(HedgeAttempt hedge, HedgeAttempt winner) =>
        hedge == winner ? HedgeResult.Won
        : hedge.IsLate || Rank(hedge) == Best ? HedgeResult.Lost
        : hedge.Exchange.Outcome == Outcome.Rejected ? HedgeResult.Refused
        : HedgeResult.Failed;
}
