using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Credential;

/// <summary>
/// Puts one of an API's several keys onto each attempt. A key that the provider does not take is set aside for a while; one whose limits have no room now is passed
/// over for one that has. What a refused call does next is for retries to decide, which learn here whether there is another key.
/// </summary>
internal sealed class KeyPoolPolicy : IPolicy
{
    /// <summary>Observe mode: another key would have been sent, because this one is set aside or has no room.</summary>
    public const string WouldPassOver = "key_passed_over";

    /// <summary>Observe mode: the answer would have set this key aside, and a further attempt would have carried another.</summary>
    public const string WouldSetAside = "key_set_aside";

    // So many calls, one after the other, that two keys were refused alike for, and none that a key was taken for: by now it may as well be both keys.
    private const int MaxAlike = 3;

    private readonly CredentialField _field;
    private readonly KeyPoolSettings _settings;
    private readonly KeyTurns _turns;
    private readonly TimeProvider _time;
    private int _alike;

    public KeyPoolPolicy(CredentialField field, KeyPoolSettings settings, TimeProvider time)
    {
        _field = field;
        _settings = settings;
        _turns = new KeyTurns([.. settings.Keys.Select(key => key.Weight)]);
        _time = time;
    }

    public string Name => "credential";

    public PolicyStage Stage => PolicyStage.Attempt;

    /// <summary>The field that carries them.</summary>
    public string Header => _field.Header;

    /// <summary>What is known of its keys.</summary>
    public IEnumerable<KeyHealth> Keys => _settings.Keys.Select(key => key.Health);

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next) =>
        exchange.IsTunnel ? next(exchange)
        : _field.Refuses(exchange) ? default
        : _settings.Mode == PolicyMode.Observe ? ObserveAsync(exchange, next)
        : SendAsync(exchange, next);

    public PolicyExplanation Explain(Exchange exchange)
    {
        if (_field.ExplainAbsence(exchange) is { } absence)
        {
            return absence;
        }

        var keys = _settings.Keys.Select(key =>
        {
            var health = key.Health;
            var weight = _settings.Choice == KeyChoice.RoundRobin && _settings.Keys.Any(other => other.Weight != 1) ? $" (weight {key.Weight})" : "";
            return health.SetAsideSeconds() is > 0 and var seconds
                ? string.Create(CultureInfo.InvariantCulture, $"{health.Key.Name}{weight} set aside for {seconds:0.#} s after {health.Cause}")
                : $"{health.Key.Name}{weight} ready";
        });
        return new PolicyExplanation($"sets {_field.Header} from {_settings.Keys.Count} keys (values hidden), {(_settings.Choice == KeyChoice.Ordered ? "the first that is taken" : "in turn")}: {string.Join(", ", keys)}{(_settings.Mode == PolicyMode.Observe ? " (observe)" : "")}");
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask SendAsync(Exchange exchange, ExchangeHandler next)
    {
        var mustNotQueue = exchange.MustNotQueue;
        var turn = _settings.Choice == KeyChoice.Ordered ? 0 : _turns.Next();
        var (roomiest, soonest) = (-1, TimeSpan.MaxValue);

        // None is taken: all of them may be again, the one that is back first before the others.
        var ready = Ready(exchange.TriedKeys);
        var areAllSetAside = ready == 0;
        if (areAllSetAside)
        {
            var all = uint.MaxValue >> (KeyPoolSettings.MaxKeys - _settings.Keys.Count);
            ready = (all & ~exchange.TriedKeys) is not 0 and var untried ? untried : all;
        }

        var isOnly = BitOperations.IsPow2(ready);
        while (true)
        {
            // :: Step 1: A key. While there are others, nobody waits for one that has no room; when none has, for the one that will have first.
            var isLast = isOnly || ready == 0;
            var index = ready == 0 ? roomiest : areAllSetAside ? FirstBack(ready) : Choose(turn, ready);
            ready &= ~(1u << index);
            var key = _settings.Keys[index];
            exchange.MustNotQueue = mustNotQueue || !isLast;
            exchange.ProviderKey = key.Health.Key;
            _field.Set(exchange.RequestHeaders, key.Value);

            // :: Step 2: The attempt.
            var sent = _time.GetTimestamp();
            await next(exchange);
            exchange.MustNotQueue = mustNotQueue;
            if (exchange.Outcome != Outcome.Rejected)
            {
                Judge(exchange, index, sent);
                return;
            }

            // :: Step 3: It was not sent, and no key is to be named for it. Another may have room.
            exchange.ProviderKey = null;
            if (isLast || exchange.Rejection is not { Policy: "limits", Status: 429 } full)
            {
                return;
            }

            // Limits that refuse hold nothing but what they have read of the content; the next key's find it there, and nobody else could give it back.
            var wait = full.RetryAfter ?? TimeSpan.MaxValue;
            (roomiest, soonest) = roomiest < 0 || wait < soonest ? (index, wait) : (roomiest, soonest);
            exchange.ForgetAnswer();
        }
    }

    /// <summary>Each call carries the key whose turn it is, whatever is known of it; what would have been done with what is known is noted.</summary>
    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask ObserveAsync(Exchange exchange, ExchangeHandler next)
    {
        var index = _settings.Choice == KeyChoice.Ordered ? 0 : _turns.KeyAt(_turns.Next(), 0);
        var key = _settings.Keys[index];
        var others = Ready(without: 1u << index);
        var sent = _time.GetTimestamp();
        var isPassedOver = others != 0 && key.Health.IsSetAside(sent);
        exchange.ProviderKey = key.Health.Key;
        _field.Set(exchange.RequestHeaders, key.Value);
        await next(exchange);
        if (exchange.Outcome == Outcome.Rejected)
        {
            exchange.ProviderKey = null;
            isPassedOver |= others != 0 && exchange.Rejection is { Policy: "limits", Status: 429 };
        }
        else if (exchange.Outcome == Outcome.Forwarded && !exchange.IsSignalOfBucket && RefusalOf(exchange) is not KeyRefusal.None and var refusal)
        {
            // One that is to blame itself cannot be told from one whose key is: no second key is asked.
            Refuse(exchange, key.Health, refusal, sent);
            if (key.Health.IsSetAside(_time.GetTimestamp()) && !isPassedOver)
            {
                exchange.Observe(Name, WouldSetAside);
            }
        }
        else if (exchange.Outcome == Outcome.Forwarded)
        {
            Accept(exchange, key.Health, sent);
        }

        if (isPassedOver)
        {
            exchange.Observe(Name, WouldPassOver);
        }
    }

    private static void Accept(Exchange exchange, KeyHealth health, long sent)
    {
        if (exchange.ResponseStatus < 500 && RefusalOf(exchange) == KeyRefusal.None)
        {
            health.Pass(sent);
        }
        else
        {
            health.Answered();
        }
    }

    /// <returns>Since when the key is set aside, as <see cref="KeyHealth.Refuse"/> has it.</returns>
    private long Refuse(Exchange exchange, KeyHealth health, KeyRefusal refusal, long sent)
    {
        var isTimed = RetryAfter.TryRead(exchange.ResponseHeaders, _time.GetUtcNow(), out var wait);
        return health.Refuse(refusal, exchange.ResponseStatus.ToString(CultureInfo.InvariantCulture), isTimed ? wait : null, _settings.SetAside, sent);
    }

    /// <summary>What the answer says about its key.</summary>
    private void Judge(Exchange exchange, int index, long sent)
    {
        if (exchange.Outcome != Outcome.Forwarded)
        {
            return;
        }

        var health = _settings.Keys[index].Health;
        var refusal = RefusalOf(exchange);
        if (refusal == KeyRefusal.None)
        {
            Accept(exchange, health, sent);
            if (exchange.ResponseStatus < 500)
            {
                Volatile.Write(ref _alike, 0);
                BlameBoth(exchange, sent);
            }

            return;
        }

        exchange.TriedKeys |= 1u << index;
        var isBare = refusal == KeyRefusal.NotAccepted && exchange.Signal == ProviderSignal.None;
        if (isBare && exchange.SuspectedKey is { Number: > 0 } suspected && suspected.Number != index + 1 && suspected.Status == exchange.ResponseStatus)
        {
            // Two keys refused alike: it is the call, whose sender must not set aside one key after the other. When that is so call after call, a third key decides.
            _settings.Keys[suspected.Number - 1].Health.Excuse(suspected.Since);
            health.Answered();
            if (suspected.Other == 0 && Volatile.Read(ref _alike) < MaxAlike)
            {
                Interlocked.Increment(ref _alike);
            }
            else if (suspected.Other == 0 && Ready(exchange.TriedKeys) != 0)
            {
                exchange.SuspectedKey = suspected with { Other = index + 1 };
                exchange.IsKeyRefused = exchange.HasOtherKey = true;
            }

            return;
        }

        exchange.IsKeyRefused = true;
        if (exchange.IsSignalOfBucket)
        {
            // The bucket cools down by itself.
            health.Answered();
        }
        else
        {
            var since = Refuse(exchange, health, refusal, sent);
            exchange.SuspectedKey = isBare && exchange.SuspectedKey.Number == 0 ? new SuspectedKey(index + 1, exchange.ResponseStatus, since) : exchange.SuspectedKey;
        }

        exchange.HasOtherKey = Ready(exchange.TriedKeys) != 0;
    }

    /// <summary>A third key was taken where two were refused: it was not the call.</summary>
    private void BlameBoth(Exchange exchange, long sent)
    {
        if (exchange.SuspectedKey is not { Other: > 0 } suspected)
        {
            return;
        }

        foreach (var number in (ReadOnlySpan<int>)[suspected.Number, suspected.Other])
        {
            _settings.Keys[number - 1].Health.Refuse(KeyRefusal.NotAccepted, suspected.Status.ToString(CultureInfo.InvariantCulture), wait: null, _settings.SetAside, sent);
        }

        exchange.SuspectedKey = default;
    }

    /// <summary>What the provider's file says that it means, else what HTTP says. A bare 403 is about the call: every key would get it.</summary>
    private static KeyRefusal RefusalOf(Exchange exchange) => (exchange.Signal, exchange.ResponseStatus) switch
    {
        (ProviderSignal.Billing or ProviderSignal.Quota, _) => KeyRefusal.NotAccepted,
        (ProviderSignal.Throttle or ProviderSignal.Concurrency, _) => KeyRefusal.Throttled,
        (ProviderSignal.None, 401 or 402) => KeyRefusal.NotAccepted,
        (ProviderSignal.None, 429) => KeyRefusal.Throttled,
        _ => KeyRefusal.None,
    };

    /// <summary>Keys that are not set aside, as bits.</summary>
    private uint Ready(uint without)
    {
        var now = _time.GetTimestamp();
        var ready = 0u;
        for (var i = 0; i < _settings.Keys.Count; i++)
        {
            ready |= _settings.Keys[i].Health.IsSetAside(now) ? 0 : 1u << i;
        }

        return ready & ~without;
    }

    private int Choose(int turn, uint ready)
    {
        if (_settings.Choice == KeyChoice.Ordered)
        {
            return BitOperations.TrailingZeroCount(ready);
        }

        var after = 0;
        while ((ready & (1u << _turns.KeyAt(turn, after))) == 0)
        {
            after++;
        }

        return _turns.KeyAt(turn, after);
    }

    private int FirstBack(uint keys)
    {
        var first = BitOperations.TrailingZeroCount(keys);
        for (var i = first + 1; i < _settings.Keys.Count; i++)
        {
            first = (keys & (1u << i)) != 0 && _settings.Keys[i].Health.SetAsideUntil < _settings.Keys[first].Health.SetAsideUntil ? i : first;
        }

        return first;
    }
}
