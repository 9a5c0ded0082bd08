using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Cache;

/// <summary>
/// The HTTP cache of a route (RFC 9111). A stored answer that may be used ends the path here. Else the upstream is asked by a <see cref="Flight"/>, once for
/// all who want the same; what it answers is stored when it may be, and goes to each of them.
/// </summary>
internal sealed class CachePolicy(CacheSettings settings, HttpCache cache) : IPolicy
{
    // Larger content of a POST is no question that is asked twice.
    private const int MaxKeyedBodyBytes = 64 * 1024;

    private static readonly Rejection NotStored = new("cache", "not_cached", 504, "The request says only-if-cached, and no stored answer can be used for it.");

    private static readonly Failure ClientLeft = new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "The client went away while another exchange asked for the same answer.");

    public string Name => "cache";

    public PolicyStage Stage => PolicyStage.Cache;

    public CacheSettings Settings => settings;

    public ValueTask InvokeAsync(Exchange exchange, ExchangeHandler next)
    {
        if (exchange.IsTunnel || exchange.UpgradeProtocol is not null)
        {
            return next(exchange);
        }

        if (exchange.Method is not ("GET" or "HEAD"))
        {
            return settings.KeysBody && exchange.Method == "POST" && settings.Mode == CacheMode.Standard ? ReadBodyAsync(exchange, next) : PassOtherMethodAsync(exchange, next);
        }

        if (settings.Mode == CacheMode.Off)
        {
            return next(exchange);
        }

        var request = RequestTerms.Read(exchange, keysBody: false);
        if (request.Bypass is not null || CacheKey.Of(exchange, settings, cache.Secret) is not { } key)
        {
            return PassAsync(exchange, next, CacheResult.Bypass, request.Bypass ?? "key-too-large");
        }

        return AnswerAsync(exchange, next, key, request);
    }

    public PolicyExplanation Explain(Exchange exchange)
    {
        if (exchange.IsTunnel || exchange.UpgradeProtocol is not null)
        {
            return new PolicyExplanation("skipped: a tunnel or upgrade has no answer to store");
        }

        if (exchange.Method is not ("GET" or "HEAD") && !(settings.KeysBody && exchange.Method == "POST"))
        {
            return new PolicyExplanation($"{exchange.Method} is forwarded; when it succeeds, what is stored of this URL is invalid");
        }

        if (settings.Mode == CacheMode.Off)
        {
            return new PolicyExplanation("off");
        }

        var request = RequestTerms.Read(exchange, settings.KeysBody);
        var isKeyed = CacheKey.Of(exchange, settings, cache.Secret);
        if (request.Bypass is not null || isKeyed is not { } key)
        {
            return new PolicyExplanation($"bypassed: {request.Bypass ?? "key-too-large"}");
        }

        var whose = settings.Partition switch
        {
            CachePartition.None => "shared by all callers",
            CachePartition.Consumer => $"kept for consumer {exchange.Consumer.Name}",
            _ => key.IsPrivate ? "kept for calls with the same credential" : "shared by calls without a credential",
        };
        var text = $"{(settings.Mode == CacheMode.Observe ? "observes, " : "")}key {(ulong)(key.Value >> 64):x16} ({whose})";
        if (cache.Store.Find(key.Value, exchange.RequestHeaders, out var hasOthers) is not { } stored)
        {
            return new PolicyExplanation(text + (hasOthers ? "; stored for other requests only" : "; nothing stored in this process"));
        }

        var now = cache.Time.GetTimestamp();
        var vary = stored.Vary is null ? "" : $", varies by {VaryKey.Describe(stored.Vary)}";
        var use = cache.Epochs.IsPurged(stored, exchange.Target) ? "purged" : stored.UseFor(request.Control, now, cache.Time).ToString().ToLowerInvariant();
        return new PolicyExplanation(string.Create(CultureInfo.InvariantCulture, $"{text}; stored {stored.Status}{vary}, age {stored.Age(now, cache.Time).TotalSeconds:0} s, fresh for {stored.FreshFor(now, cache.Time).TotalSeconds:0} s: {use}"));
    }

    /// <summary>From the store when that may be, and that without waiting; else from the upstream.</summary>
    private ValueTask AnswerAsync(Exchange exchange, ExchangeHandler next, CacheKey key, in RequestTerms asked)
    {
        var request = asked;
        request.IsPrivatePartition = key.IsPrivate;
        var miss = CacheResult.Miss;
        var stored = request.Control.NoStore ? null : cache.Store.Find(key.Value, exchange.RequestHeaders, out var hasOthers) ?? Missed(hasOthers, ref miss);
        if (stored is not null && cache.Epochs.IsPurged(stored, exchange.Target))
        {
            cache.Store.Drop(stored);
            stored = null;
        }

        if (stored is not null)
        {
            var use = stored.UseFor(request.Control, cache.Time.GetTimestamp(), cache.Time);
            if (settings.Mode == CacheMode.Observe)
            {
                miss = use is StoredUse.Fresh or StoredUse.Stale or StoredUse.StaleWhileRevalidate ? CacheResult.WouldHit : CacheResult.StaleMiss;
                stored = null;
            }
            else if (use == StoredUse.StaleWhileRevalidate)
            {
                Refresh(exchange, next, key, request, stored);
                Serve(exchange, stored, request, CacheResult.HitStale, "stale-while-revalidate"u8);
                return default;
            }
            else if (use is StoredUse.Fresh or StoredUse.Stale)
            {
                Serve(exchange, stored, request, use == StoredUse.Fresh ? CacheResult.Hit : CacheResult.HitStale, use == StoredUse.Fresh ? default : "max-stale"u8);
                return default;
            }
            else
            {
                miss = use == StoredUse.ValidateForRequest ? CacheResult.Request : CacheResult.StaleMiss;
            }
        }

        if (request.Control.OnlyIfCached && settings.Mode == CacheMode.Standard)
        {
            Note(exchange, miss);
            exchange.Reject(NotStored);
            return default;
        }

        if (request.Control.NoStore)
        {
            return PassAsync(exchange, next, CacheResult.Request, "no-store");
        }

        // HEAD brings no content to store, and a part is not stored as the whole.
        if (exchange.Method == "HEAD" || (request.HasRange && stored?.HasValidator != true))
        {
            return PassAsync(exchange, next, miss, exchange.Method == "HEAD" ? "" : "range");
        }

        return FetchAsync(exchange, next, key, request, stored?.HasValidator == true ? stored : null, stored, miss);
    }

    private static StoredAnswer? Missed(bool hasOthers, ref CacheResult miss)
    {
        miss = hasOthers ? CacheResult.VaryMiss : CacheResult.Miss;
        return null;
    }

    /// <summary>Asks the upstream, or waits for somebody who does.</summary>
    /// <param name="exchange">Who asks.</param>
    /// <param name="next">The way to the upstream.</param>
    /// <param name="key">Where the answer belongs.</param>
    /// <param name="request">What the request says.</param>
    /// <param name="validated">The stored answer that the upstream is asked about.</param>
    /// <param name="fallback">The stored answer that may stand in for an error.</param>
    /// <param name="miss">Why it was not used.</param>
    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask FetchAsync(Exchange exchange, ExchangeHandler next, CacheKey key, RequestTerms request, StoredAnswer? validated, StoredAnswer? fallback, CacheResult miss)
    {
        // A client's own condition is about what that client has; and what could not be stored last time need not be waited for.
        var isAlone = settings.Mode == CacheMode.Observe || (validated is null && request.IsConditional) || cache.Uncacheable.Contains(key.Value);
        if (!isAlone)
        {
            // :: Step 1: Somebody else asks already. When that fails, one of those who waited asks again; nobody waits for a third.
            for (var round = 0; round < 2 && cache.Flights.TryJoin(key.Value) is { } seat; round++)
            {
                if (await FollowAsync(exchange, seat, request, fallback, miss, isLast: round == 1))
                {
                    return;
                }

                if (seat.Flight.Result is FlightResult.NotStored or FlightResult.Stored or FlightResult.Validated)
                {
                    // That answer is not for this request: it goes on by itself, beside the others.
                    isAlone = true;
                    break;
                }
            }
        }

        // :: Step 2: Nobody does. From here on others may wait for this one.
        var flight = new Flight(cache, settings, key, key.Value, exchange, request, validated, exchange.Client) { FirstReader = Reader(exchange) };
        var own = flight.TryTakeSeat()!;
        flight.FirstSeat = own;
        if (!isAlone && !cache.Flights.TryAdd(flight) && cache.Flights.TryJoin(key.Value) is { } other && await FollowAsync(exchange, other, request, fallback, miss, isLast: true))
        {
            return;
        }

        // An answer may have come between the look into the store and now.
        if (!isAlone && cache.Store.Find(key.Value, exchange.RequestHeaders, out _) is { } come && come != fallback && IsFor(exchange, come, request))
        {
            own.Leave();
            Serve(exchange, come, request, CacheResult.Hit, default);
            return;
        }

        var aborted = exchange.Aborted.UnsafeRegister(static seat => ((FlightSeat)seat!).Leave(), own);
        try
        {
            await flight.AskAsync(next);
        }
        finally
        {
            aborted.Unregister();
        }

        // :: Step 3: The head is there.
        exchange.TakeOver(flight.Exchange);
        await LandAsync(exchange, own, request, fallback, miss);
    }

    /// <summary>The exchange that asked takes the answer.</summary>
    private async ValueTask LandAsync(Exchange exchange, FlightSeat seat, RequestTerms request, StoredAnswer? fallback, CacheResult miss)
    {
        var flight = seat.Flight;
        var source = flight.Exchange;
        switch (flight.Result)
        {
            case FlightResult.Validated:
                seat.Leave();
                Serve(exchange, flight.Answer!, request, CacheResult.HitValidated, default);
                return;
            case FlightResult.Stored:
                var answer = flight.Answer!;
                var reader = Reader(exchange);
                if ((request.HasRange || request.IsConditional) && answer.Content is { IsComplete: true, IsKept: true })
                {
                    // What the client asked for is judged by what is stored now. While not all is there, the whole is a right answer too (RFC 9110 14.2).
                    await reader.DisposeAsync();
                    Serve(exchange, answer, request, miss, default);
                    exchange.Answer(Outcome.Forwarded, exchange.ResponseStatus);
                    return;
                }

                Note(exchange, miss, answer.Terms.IsOverridden);
                exchange.ResponseHeaders.AddAll(source.ResponseHeaders);
                Finish(exchange, miss, source.ResponseStatus, answer.Content.IsKept, answer.Terms.IsOverridden ? "ttl-override" : "");
                exchange.ResponseBody = reader;
                exchange.Answer(Outcome.Forwarded, source.ResponseStatus);
                return;
            case FlightResult.NotStored:
                if (source.ResponseStatus is 500 or 502 or 503 or 504 && Replaces(fallback, request, TimeSpan.Zero))
                {
                    await flight.EndAsync();
                    seat.Leave();
                    Serve(exchange, fallback!, request, CacheResult.HitStale, "stale-if-error"u8);
                    return;
                }

                Note(exchange, miss);
                exchange.ResponseHeaders.AddAll(source.ResponseHeaders);
                Finish(exchange, miss, source.ResponseStatus, isStored: false, flight.WhyNot);
                exchange.ResponseBody = new TakenBody(seat);
                exchange.Answer(Outcome.Forwarded, source.ResponseStatus);
                if (fallback is not null && source.ResponseStatus is >= 200 and < 300 && flight.Validated is not null)
                {
                    // RFC 9111 4.3.3: the stored answer is no more what the upstream says.
                    cache.Store.Drop(fallback);
                }

                return;
            default:
                await flight.EndAsync();
                seat.Leave();
                FailLike(exchange, source, request, fallback, miss);
                return;
        }
    }

    /// <summary>Waits for another exchange's answer.</summary>
    /// <returns>False when it is not for this request, or failed and this is not the last round.</returns>
    private async ValueTask<bool> FollowAsync(Exchange exchange, FlightSeat seat, RequestTerms request, StoredAnswer? fallback, CacheResult miss, bool isLast)
    {
        var flight = seat.Flight;
        var began = cache.Time.GetTimestamp();
        var aborted = exchange.Aborted.UnsafeRegister(static seat => ((FlightSeat)seat!).Signal.Set(), seat);
        while (flight.Result == FlightResult.Asking && !exchange.Aborted.IsCancellationRequested)
        {
            await seat.Signal.WaitAsync();
        }

        aborted.Unregister();
        exchange.Timings.Queued += cache.Time.GetTimestamp() - began;
        if (exchange.Aborted.IsCancellationRequested)
        {
            seat.Leave();
            exchange.Fail(ClientLeft);
            return true;
        }

        if (flight.Result is FlightResult.Stored or FlightResult.Validated && IsFor(exchange, flight.Answer!, request))
        {
            var reader = Reader(exchange);
            if (flight.Answer!.Content.IsComplete)
            {
                seat.Leave();
                Serve(exchange, flight.Answer, request, CacheResult.Collapsed, default);
                return true;
            }

            if (!request.HasRange && !request.IsConditional && exchange.Method == "GET" && reader.TryBegin(flight.Answer.Content, seat))
            {
                ServeHead(exchange, flight.Answer, CacheResult.Collapsed, miss, default);
                exchange.ResponseBody = reader;
                exchange.Answer(Outcome.ServedFromCache, flight.Answer.Status);
                return true;
            }
        }

        seat.Leave();
        if (flight.Result == FlightResult.Failed && isLast && flight.Exchange.Rejection is null)
        {
            FailLike(exchange, flight.Exchange, request, fallback, miss);
            return true;
        }

        return false;
    }

    private bool IsFor(Exchange exchange, StoredAnswer answer, in RequestTerms request) =>
        VaryKey.Matches(answer.Vary, exchange.RequestHeaders) && !cache.Epochs.IsPurged(answer, exchange.Target) && answer.UseFor(request.Control, cache.Time.GetTimestamp(), cache.Time) == StoredUse.Fresh;

    private void FailLike(Exchange exchange, Exchange source, in RequestTerms request, StoredAnswer? fallback, CacheResult miss)
    {
        if (source.Failure is { Source: FailureSource.Upstream } && Replaces(fallback, request, settings.StaleOnFailure))
        {
            Serve(exchange, fallback!, request, CacheResult.HitStale, "upstream-failed"u8);
            return;
        }

        Note(exchange, miss);
        if (source.Rejection is { } rejection)
        {
            exchange.Reject(rejection);
        }
        else
        {
            exchange.Fail(source.Failure ?? ClientLeft);
        }
    }

    private bool Replaces(StoredAnswer? stored, in RequestTerms request, TimeSpan staleOnFailure) =>
        stored is not null && stored.MayReplaceError(request.Control, staleOnFailure, cache.Time.GetTimestamp(), cache.Time);

    /// <summary>One for all: when somebody asks already, nothing is done.</summary>
    private void Refresh(Exchange exchange, ExchangeHandler next, CacheKey key, in RequestTerms request, StoredAnswer stored)
    {
        var flight = new Flight(cache, settings, key, key.Value, exchange, request, stored.HasValidator ? stored : null, client: null);
        if (cache.Flights.TryAdd(flight))
        {
            flight.Exchange.Method = "GET";
            flight.AskInBackground(next);
        }
    }

    /// <summary>Puts a stored answer onto the exchange: the whole, a part, or that the client's own copy holds.</summary>
    private void Serve(Exchange exchange, StoredAnswer answer, in RequestTerms request, CacheResult result, ReadOnlySpan<byte> detail)
    {
        ServeHead(exchange, answer, result, result, detail);
        var reader = Reader(exchange);
        var status = answer.Status;
        if (request.IsConditional && status == 200 && Preconditions.Hold(exchange.RequestHeaders, answer, cache.Time.GetUtcNow()))
        {
            status = 304;
            Preconditions.KeepFieldsOf304(exchange.ResponseHeaders);
            reader.BeginWithout(null);
        }
        else if (exchange.Method == "HEAD")
        {
            reader.BeginWithout(answer.Content.TotalLength);
        }
        else if (request.HasRange && status == 200 && exchange.RequestHeaders.TryGet(KnownHeader.Range, out var field) && Preconditions.RangeApplies(exchange.RequestHeaders, answer)
            && ByteRange.Read(field, answer.Content.Length, out var range) is { } isSatisfiable)
        {
            status = Preconditions.AddContentRange(exchange.ResponseHeaders, isSatisfiable, range, answer.Content.Length);
            if (isSatisfiable)
            {
                reader.TryBegin(answer.Content, seat: null, range);
            }
            else
            {
                reader.BeginWithout(0);
            }
        }
        else
        {
            reader.TryBegin(answer.Content, seat: null);
        }

        exchange.ResponseBody = reader;
        exchange.Answer(Outcome.ServedFromCache, status);
    }

    private void ServeHead(Exchange exchange, StoredAnswer answer, CacheResult result, CacheResult miss, ReadOnlySpan<byte> detail)
    {
        Note(exchange, result, answer.Terms.IsOverridden);
        var fields = exchange.ResponseHeaders;
        fields.Clear();
        StoredHead.Decode(answer.Head, fields);
        fields.Remove(TargetedControl.OwnName);
        var now = cache.Time.GetTimestamp();
        Span<byte> age = stackalloc byte[20];
        System.Buffers.Text.Utf8Formatter.TryFormat((long)answer.Age(now, cache.Time).TotalSeconds, age, out var digits);
        fields.Add(KnownHeader.Age, age[..digits]);
        switch (result)
        {
            case CacheResult.HitValidated:
                CacheStatusField.AddForward(fields, result, 304, isStored: true, isCollapsed: false, detail);
                break;
            case CacheResult.Collapsed:
                CacheStatusField.AddForward(fields, miss == CacheResult.Collapsed ? CacheResult.Miss : miss, 0, isStored: false, isCollapsed: true, detail);
                break;
            case CacheResult.Hit or CacheResult.HitStale:
                CacheStatusField.AddHit(fields, answer.FreshFor(now, cache.Time), answer.Terms.IsOverridden && detail.IsEmpty ? "ttl-override"u8 : detail);
                break;
            default:
                CacheStatusField.AddForward(fields, result, answer.Status, isStored: true, isCollapsed: false, detail);
                break;
        }
    }

    /// <summary>An answer that is passed on, with what the cache has to say of it.</summary>
    private void Finish(Exchange exchange, CacheResult miss, int status, bool isStored, string detail)
    {
        exchange.ResponseHeaders.Remove(TargetedControl.OwnName);
        if (settings.Mode == CacheMode.Standard)
        {
            Span<byte> word = stackalloc byte[64];
            CacheStatusField.AddForward(exchange.ResponseHeaders, miss, status, isStored, isCollapsed: false, word[..System.Text.Encoding.ASCII.GetBytes(detail.AsSpan(0, Math.Min(detail.Length, 64)), word)]);
        }
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask PassAsync(Exchange exchange, ExchangeHandler next, CacheResult result, string detail)
    {
        Note(exchange, result);
        await next(exchange);
        if (exchange.Outcome == Outcome.Forwarded)
        {
            Finish(exchange, result, exchange.ResponseStatus, isStored: false, detail);
        }
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask PassOtherMethodAsync(Exchange exchange, ExchangeHandler next)
    {
        if (settings.Mode != CacheMode.Off)
        {
            Note(exchange, CacheResult.Method);
        }

        await next(exchange);
        if (exchange.Outcome == Outcome.Forwarded && exchange.UpstreamStream is null)
        {
            // RFC 9111 4.4: methods that nobody knows count as unsafe.
            if (exchange.Method is not ("OPTIONS" or "TRACE"))
            {
                Invalidation.Apply(exchange, cache, settings);
            }

            Finish(exchange, CacheResult.Method, exchange.ResponseStatus, isStored: false, "");
        }
    }

    /// <summary>A POST that the configuration calls a read: its content is read, becomes part of the key, and is sent all the same.</summary>
    private async ValueTask ReadBodyAsync(Exchange exchange, ExchangeHandler next)
    {
        var rented = ArrayPool<byte>.Shared.Rent(MaxKeyedBodyBytes);
        try
        {
            var length = 0;
            int read;
            while (length < MaxKeyedBodyBytes && (read = await exchange.RequestBody.ReadAsync(rented.AsMemory(length, MaxKeyedBodyBytes - length), exchange.Aborted)) > 0)
            {
                length += read;
            }

            exchange.RequestBodyBytes = length;
            var content = rented.AsSpan(0, length).ToArray();
            var isWhole = length < MaxKeyedBodyBytes;
            exchange.RequestBody = new ReplayedBody(content, isWhole ? null : exchange.RequestBody);
            var request = RequestTerms.Read(exchange, keysBody: true);
            if (!isWhole || request.Bypass is not null || CacheKey.Of(exchange, settings, cache.Secret, content) is not { } key)
            {
                await PassAsync(exchange, next, CacheResult.Bypass, request.Bypass ?? "content-too-large");
                return;
            }

            await AnswerAsync(exchange, next, key, request);
        }
        catch (MessageBodyException broken)
        {
            exchange.Fail(broken.Failure);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented, clearArray: true);
        }
    }

    private void Note(Exchange exchange, CacheResult result, bool isOverridden = false)
    {
        if (exchange.Cache == CacheResult.None || exchange.Cache != result)
        {
            cache.Counters.Count(result);
        }

        exchange.Cache = result;
        exchange.IsCacheOverridden = isOverridden;
    }

    private static ContentReader Reader(Exchange exchange)
    {
        if (exchange.CachingState is not ContentReader { IsSpoiled: false } reader)
        {
            exchange.CachingState = reader = new ContentReader();
        }

        return reader;
    }
}
