using System.Collections.Frozen;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Retry;

/// <summary>
/// Makes another attempt where that is safe and can help: after trouble before anything was sent, and after trouble or a refusal in between for calls that may be done
/// twice. An answer that has begun to go to the client is never touched.
/// </summary>
internal sealed class RetryPolicy : IPolicy
{
    // RFC 9110 9.2.2. PRI, CONNECT and what nobody knows are not among them.
    private static readonly FrozenSet<string> Idempotent = FrozenSet.Create(StringComparer.Ordinal, "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PROPFIND", "REPORT", "SEARCH");

    private readonly RetrySettings _settings;
    private readonly RetryBudget _budget;
    private readonly Backoff _backoff;
    private readonly TimeSpan? _total;
    private readonly TimeProvider _time;
    private readonly byte[]? _idempotencyHeader;

    /// <param name="settings">What was written.</param>
    /// <param name="budget">The API's.</param>
    /// <param name="backoff">Makes the pauses.</param>
    /// <param name="total">How long the exchange may take in all; null is unbounded.</param>
    /// <param name="time">The clock.</param>
    public RetryPolicy(RetrySettings settings, RetryBudget budget, Backoff backoff, TimeSpan? total, TimeProvider time)
    {
        _settings = settings;
        _budget = budget;
        _backoff = backoff;
        _total = total;
        _time = time;
        _idempotencyHeader = settings.IdempotencyHeader is { } header ? Encoding.ASCII.GetBytes(header) : null;
    }

    public string Name => "retry";

    public PolicyStage Stage => PolicyStage.Resilience;

    /// <summary>What pays for further attempts.</summary>
    public RetryBudget Budget => _budget;

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    public async ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next)
    {
        if (exchange.IsTunnel || exchange.UpgradeProtocol is not null)
        {
            // What both sides say to each other cannot be said again.
            await next(exchange);
            return;
        }

        // :: Step 1: What is needed to do it again: a key where the provider knows keys, and the content.
        var mayRepeat = MayRepeat(exchange);
        var content = exchange.RequestBody;
        var replay = content.IsEmpty || _settings.Mode == PolicyMode.Observe ? null : new ReplayBody(content, _settings);
        if (replay is not null)
        {
            exchange.RequestBody = replay;
            exchange.WhenAnswerEnds(replay);
        }

        var endings = exchange.EndingCount;
        var mayMend500 = mayRepeat && _settings.Mends500;
        for (var made = 1; ; made++)
        {
            // :: Step 2: An attempt. Most are good, and that is all.
            if (made == _settings.Attempts)
            {
                replay?.KeepNoMore();
            }

            exchange.MayBeRepeated = mayRepeat && made < _settings.Attempts && _settings.Mode == PolicyMode.Enforce;
            var began = _time.GetTimestamp();
            await next(exchange);
            if (Trouble(exchange, mayRepeat, mayMend500, made) is not { } cause)
            {
                Settle(exchange, made);
                return;
            }

            if (made == 1)
            {
                _budget.Failed();
            }

            mayMend500 &= exchange.ResponseStatus != 500;

            // :: Step 3: Whether there may be another, and when.
            var refused = RetryAfter.TryRead(exchange.ResponseHeaders, _time.GetUtcNow(), out var notBefore) && exchange.Failure is null;
            var pause = HasAlternative(exchange) ? TimeSpan.Zero : _backoff.Of(_settings, made, refused ? notBefore : exchange.Rejection?.RetryAfter);
            if (Forbids(exchange, replay, made, pause) is { } reason)
            {
                exchange.NoteRetry(Note(exchange, began, cause, TimeSpan.Zero, reason));
                return;
            }

            // :: Step 4: The answer is thrown away, for everybody who waits for its end too, and the exchange is as it was.
            exchange.NoteRetry(Note(exchange, began, cause, pause, ""));
            await AnswerDiscard.DiscardAsync(exchange);
            exchange.EndAnswer(endings);
            exchange.ForgetAnswer();
            exchange.RequestBodyBytes = 0;
            replay?.Rewind();
            if (pause > TimeSpan.Zero && !await PauseAsync(pause, exchange))
            {
                return;
            }
        }
    }

    public PolicyExplanation Explain(Exchange exchange)
    {
        var safe = MayRepeatAsIs(exchange) ? $"{exchange.Method} may be done twice" : _settings.InjectsIdempotencyKey ? $"{exchange.Method} gets a {_settings.IdempotencyHeader}" : $"{exchange.Method} only before it was sent";
        return new PolicyExplanation($"up to {_settings.Attempts} attempts, {_settings.Base.TotalMilliseconds:0} ms to {_settings.Max.TotalSeconds:0.###} s apart; {safe}; after {string.Join(", ", _settings.Statuses.Append(429).Distinct().Order())}{(_settings.Mends500 ? ", once after 500" : "")} and broken connections; budget {_settings.Budget:P0} of what succeeds");
    }

    private bool MayRepeatAsIs(Exchange exchange) =>
        Idempotent.Contains(exchange.Method) || _settings.Methods.Contains(exchange.Method) || (_idempotencyHeader is not null && exchange.RequestHeaders.TryGet(_idempotencyHeader, out _));

    private bool MayRepeat(Exchange exchange)
    {
        if (MayRepeatAsIs(exchange))
        {
            return true;
        }

        if (!_settings.InjectsIdempotencyKey || _settings.Mode == PolicyMode.Observe)
        {
            return false;
        }

        const int KeyCharacters = 32;
        exchange.RequestHeaders.Add(_settings.IdempotencyHeader!, RandomNumberGenerator.GetHexString(KeyCharacters, lowercase: true));
        return true;
    }

    /// <summary>What went wrong in a way that another attempt may mend; null when nothing did.</summary>
    private string? Trouble(Exchange exchange, bool mayRepeat, bool mayMend500, int made)
    {
        // Another attempt came too early for the provider's limits, or for all of its destinations, and was not sent. A first one that does is for a queue to wait.
        if (made > 1 && exchange.Rejection is { RetryAfter: not null } early && (early.Status == 429 || early.Code == "destinations_set_aside"))
        {
            return early.Code;
        }

        if (exchange.HasOtherKey || (exchange.HasOtherDestination && exchange.Signal is ProviderSignal.Billing or ProviderSignal.Quota))
        {
            // It was refused for its key alone, or for its account where another destination is another one, so nothing was done.
            return StatusText(exchange.ResponseStatus);
        }

        if (exchange.Signal is ProviderSignal.Billing or ProviderSignal.Permanent)
        {
            // Whatever the status is, the provider says that it will be the same.
            return null;
        }

        if (exchange.Failure is { } failure)
        {
            return failure.Source == FailureSource.Upstream && (failure.Retryable || (mayRepeat && IsPassing(failure.Kind))) ? failure.Code : null;
        }

        if (exchange.Outcome != Outcome.Forwarded)
        {
            return null;
        }

        // A throttle says that nothing was done, in whatever status the provider says it. The others do not, whatever they mean.
        var isThrottled = exchange.ResponseStatus == 429 || exchange.Signal is ProviderSignal.Throttle or ProviderSignal.Concurrency;
        return isThrottled && exchange.ResponseStatus < 400 ? "throttled"
            : isThrottled || (mayRepeat && _settings.Statuses.Contains(exchange.ResponseStatus)) || (mayMend500 && exchange.ResponseStatus == 500) ? StatusText(exchange.ResponseStatus)
            : null;
    }

    /// <summary>Whether the next attempt goes where nothing has said yet that it should wait.</summary>
    private static bool HasAlternative(Exchange exchange) => exchange.HasOtherDestination || exchange.HasOtherKey;

    private RetryNote Note(Exchange exchange, long began, string cause, TimeSpan pause, string stopped) => new(cause, pause, stopped)
    {
        Began = _time.GetElapsedTime(exchange.Timings.Received, began),
        Took = _time.GetElapsedTime(began),
        Destination = exchange.Destination,
        Region = exchange.Region,
        Credential = exchange.ProviderKey?.Name ?? "",
    };

    private static bool IsPassing(FailureKind kind) =>
        kind == FailureKind.RequestFailed || kind == FailureKind.ResponseHeadersTimeout || kind == FailureKind.ResponseMalformed || kind == FailureKind.ResponseTruncated;

    private void Settle(Exchange exchange, int made)
    {
        if (exchange.Outcome == Outcome.Forwarded && exchange.ResponseStatus < 500)
        {
            _budget.Succeeded(_settings.Budget, isFirst: made == 1);
        }
    }

    /// <summary>Why there is no further attempt; null when there is one, which is then paid for.</summary>
    private string? Forbids(Exchange exchange, ReplayBody? replay, int made, TimeSpan pause)
    {
        if (_settings.Mode == PolicyMode.Observe)
        {
            return "observe";
        }

        if (made >= _settings.Attempts)
        {
            return "attempts";
        }

        if (replay is { CanReplay: false })
        {
            return "content";
        }

        if (pause > _settings.Max + _settings.Base || (_total is { } total && _time.GetElapsedTime(exchange.Timings.Received) + pause >= total))
        {
            return "deadline";
        }

        // What was certainly not sent costs a destination that has not had it yet exactly one request: nothing is amplified.
        return exchange.Aborted.IsCancellationRequested ? "client"
            : exchange is { HasOtherDestination: true, Failure.Retryable: true } || _budget.TryWithdraw() ? null
            : "budget";
    }

    /// <summary>False when the client has gone meanwhile, which then stands on the exchange.</summary>
    private async ValueTask<bool> PauseAsync(TimeSpan pause, Exchange exchange)
    {
        var reactor = Reactor.Current;
        try
        {
            // Up to the next millisecond: the system's timers cut off what is finer, and an attempt that comes too early is refused and spent.
            await Task.Delay(TimeSpan.FromMilliseconds(Math.Ceiling(pause.TotalMilliseconds)), _time, exchange.Aborted).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            exchange.Fail(ClientLeft);
        }

        if (reactor is not null)
        {
            await reactor.SwitchAsync();
        }

        return exchange.Failure is null;
    }

    private static readonly Failure ClientLeft = new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "The client went away before the next attempt.");

    private static string StatusText(int status) => status switch
    {
        429 => "429",
        500 => "500",
        502 => "502",
        503 => "503",
        504 => "504",
        _ => status.ToString(CultureInfo.InvariantCulture),
    };
}
