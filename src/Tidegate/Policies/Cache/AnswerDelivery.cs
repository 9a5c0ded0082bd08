using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Cache;

/// <summary>
/// Brings an answer to the exchange that wants it: from the store, from a <see cref="Flight"/> that asks the upstream on its behalf, or from one that asks
/// on another's.
/// </summary>
internal sealed class AnswerDelivery(CacheSettings settings, HttpCache cache)
{
    // One flight may be for another variant, one may fail and one may be withdrawn, more than once each only by coincidence: then it is quicker to ask.
    private const int MaxWaits = 6;

    private static readonly Failure ClientLeft = new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "The client went away while another exchange asked for the same answer.");

    /// <summary>What came of waiting for somebody else's answer.</summary>
    private enum Followed
    {
        /// <summary>The exchange has its answer, or its failure.</summary>
        Answered,

        /// <summary>There may be one in the store now.</summary>
        LookAgain,

        /// <summary>That one failed; somebody must ask again.</summary>
        AskAgain,

        /// <summary>That answer was chosen by fields that this request has others of. Who has the same is waited for, or asked for.</summary>
        AskForVariant,

        /// <summary>That answer is not for this request, and neither will be the next.</summary>
        AskAlone,
    }

    /// <summary>Uses a stored answer when it may be used without asking at the timestamp <paramref name="now"/>. A stale one is asked for again behind it.</summary>
    public bool TryServe(Exchange exchange, ExchangeHandler next, in CacheKey key, in RequestTerms request, StoredAnswer stored, StoredUse use, long now)
    {
        switch (use)
        {
            case StoredUse.Fresh:
                return TryServe(exchange, stored, request, CacheResult.Hit, default, now);
            case StoredUse.Stale:
                return TryServe(exchange, stored, request, CacheResult.HitStale, "max-stale"u8, now);
            case StoredUse.StaleWhileRevalidate:
                Refresh(exchange, next, new Wanted(key, request, stored, CacheResult.HitStale));
                return TryServe(exchange, stored, request, CacheResult.HitStale, "stale-while-revalidate"u8, now);
            default:
                return false;
        }
    }

    /// <summary>Uses stored parts for a range that is within them.</summary>
    public bool TryServePart(Exchange exchange, StoredAnswer held, in RequestTerms request, StoredUse use)
    {
        var parts = held.Content.Parts!;
        if (use is not (StoredUse.Fresh or StoredUse.Stale) || request.IsConditional || !exchange.RequestHeaders.TryGet(KnownHeader.Range, out var field)
            || !Preconditions.RangeApplies(exchange.RequestHeaders, held) || ByteRange.Read(field, parts.Total, out var range) is not true || !parts.Holds(range))
        {
            return false;
        }

        var reader = Reader(exchange);
        if (!reader.TryBegin(held.Content, seat: null, range))
        {
            return false;
        }

        ServeHead(exchange, held, use == StoredUse.Fresh ? CacheResult.Hit : CacheResult.HitStale, CacheResult.Hit, use == StoredUse.Fresh ? default : "max-stale"u8, cache.Time.GetTimestamp());
        exchange.ResponseBody = reader;
        exchange.Answer(Outcome.ServedFromCache, Preconditions.AddContentRange(exchange.ResponseHeaders, isSatisfiable: true, range, parts.Total));
        return true;
    }

    /// <summary>Uses a stored answer whose content still comes from the disk. A part of it, or a condition, waits until all is there.</summary>
    public bool TryServeFilling(Exchange exchange, StoredAnswer answer, in RequestTerms request)
    {
        var reader = Reader(exchange);
        if (request.HasRange || request.IsConditional || exchange.Method == "HEAD" || !reader.TryBegin(answer.Content, seat: null))
        {
            return false;
        }

        ServeHead(exchange, answer, CacheResult.Hit, CacheResult.Hit, default, cache.Time.GetTimestamp());
        exchange.ResponseBody = reader;
        exchange.Answer(Outcome.ServedFromCache, answer.Status);
        return true;
    }

    /// <summary>Asks the upstream, or waits for somebody who does.</summary>
    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    public async ValueTask FetchAsync(Exchange exchange, ExchangeHandler next, Wanted wanted)
    {
        var place = PlaceOf(exchange, wanted);
        if (MustAskAlone(wanted, place))
        {
            await AskAsync(exchange, next, new Flight(cache, settings, exchange, wanted, exchange.Client, place), wanted);
            return;
        }

        var hasFailed = false;
        for (var waits = 0; waits < MaxWaits; waits++)
        {
            // :: Step 1: Somebody else asks already. When that fails, one of those who waited asks again; nobody waits for a third.
            if (cache.Flights.TryJoin(place) is { } seat)
            {
                var followed = await FollowAsync(exchange, seat, wanted, isLast: hasFailed);
                if (followed == Followed.Answered || (followed == Followed.LookAgain && TryServeNew(exchange, wanted)))
                {
                    return;
                }

                if (followed == Followed.AskForVariant)
                {
                    var known = place;
                    place = VaryKey.VariantOf(wanted.Key.Value, seat.Flight.Answer!.Vary, exchange.RequestHeaders);
                    followed = place == known || cache.Uncacheable.Contains(place) ? Followed.AskAlone : followed;
                }

                if (followed == Followed.AskAlone)
                {
                    break;
                }

                hasFailed |= followed == Followed.AskAgain;
                continue;
            }

            // :: Step 2: Nobody does. From here on others may wait for this one.
            var flight = new Flight(cache, settings, exchange, wanted, exchange.Client, place);
            if (!cache.Flights.TryAdd(flight))
            {
                continue;
            }

            // An answer may have come between the look into the store and now.
            if (TryServeNew(exchange, wanted))
            {
                flight.Withdraw();
                return;
            }

            await AskAsync(exchange, next, flight, wanted);
            return;
        }

        await AskAsync(exchange, next, new Flight(cache, settings, exchange, wanted, exchange.Client, place), wanted);
    }

    /// <summary>An answer that is passed on, with what the cache has to say of it.</summary>
    public void Finish(Exchange exchange, CacheResult miss, int status, bool isStored, string detail, bool isOverridden = false)
    {
        exchange.ResponseHeaders.Remove(TargetedControl.OwnName);
        exchange.IsCacheOverridden = isOverridden;
        if (settings.Mode == CacheMode.Standard)
        {
            Span<byte> word = stackalloc byte[64];
            var length = System.Text.Encoding.ASCII.GetBytes(detail.AsSpan(0, Math.Min(detail.Length, 64)), word);
            CacheStatusField.AddForward(exchange.ResponseHeaders, miss, status, isStored, isCollapsed: false, new CacheStatusDetail(word[..length], isOverridden));
        }
    }

    /// <summary>Notes what the cache made of an exchange, for the record and the metrics.</summary>
    public void Note(Exchange exchange, CacheResult result, bool isOverridden = false)
    {
        if (exchange.Cache == CacheResult.None || exchange.Cache != result)
        {
            cache.Counters.Count(result);
        }

        exchange.Cache = result;
        exchange.IsCacheObserved = settings.Mode == CacheMode.Observe;
        exchange.IsCacheOverridden = isOverridden;
    }

    /// <summary>
    /// In observe mode nobody waits for another. A client's own condition is about what that client has, no-cache wants an answer that nobody asked for before;
    /// and what could not be stored last time need not be waited for.
    /// </summary>
    private bool MustAskAlone(in Wanted wanted, UInt128 place) =>
        settings.Mode == CacheMode.Observe || wanted.Request.Control.NoCache || (wanted.Validated is null && wanted.Request.IsConditional) || cache.Uncacheable.Contains(place);

    /// <summary>Where those meet who want the same: at the key, or, where what is stored says by what answers vary, at the key and the variant.</summary>
    private UInt128 PlaceOf(Exchange exchange, in Wanted wanted)
    {
        var known = wanted.Stored ?? (wanted.Miss == CacheResult.VaryMiss ? cache.Store.FindAny(wanted.Key.Value) : null);
        return known is null ? wanted.Key.Value : VaryKey.VariantOf(wanted.Key.Value, known.Vary, exchange.RequestHeaders);
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask AskAsync(Exchange exchange, ExchangeHandler next, Flight flight, Wanted wanted)
    {
        flight.FirstReader = Reader(exchange);
        var seat = flight.FirstSeat;
        var aborted = exchange.Aborted.UnsafeRegister(static seat => ((FlightSeat)seat!).Leave(), seat);
        try
        {
            await flight.AskAsync(next);
        }
        finally
        {
            aborted.Unregister();
        }

        exchange.TakeOver(flight.Exchange);
        await LandAsync(exchange, seat, wanted);
    }

    /// <summary>The exchange that asked takes the answer.</summary>
    private async ValueTask LandAsync(Exchange exchange, FlightSeat seat, Wanted wanted)
    {
        var flight = seat.Flight;
        var source = flight.Exchange;
        switch (flight.Result)
        {
            case FlightResult.Validated when TryServe(exchange, flight.Answer!, wanted.Request, CacheResult.HitValidated, default):
                seat.Leave();
                return;
            case FlightResult.Stored:
                await LandStoredAsync(exchange, flight, wanted);
                return;
            case FlightResult.NotStored:
                if (source.ResponseStatus is 500 or 502 or 503 or 504 && TryReplace(exchange, wanted, TimeSpan.Zero, "stale-if-error"u8))
                {
                    await flight.EndAsync();
                    seat.Leave();
                    return;
                }

                Note(exchange, wanted.Miss);
                exchange.ResponseHeaders.AddAll(source.ResponseHeaders);
                Finish(exchange, wanted.Miss, source.ResponseStatus, isStored: false, flight.WhyNot);
                exchange.ResponseBody = new TakenBody(seat);
                exchange.Answer(Outcome.Forwarded, source.ResponseStatus);
                if (source.ResponseStatus is >= 200 and < 300 && flight.Validated is { } old)
                {
                    // RFC 9111 4.3.3: the stored answer is no more what the upstream says.
                    cache.DropUntrue(old);
                }

                return;
            default:
                await flight.EndAsync();
                seat.Leave();
                FailLike(exchange, source, wanted);
                return;
        }
    }

    private async ValueTask LandStoredAsync(Exchange exchange, Flight flight, Wanted wanted)
    {
        var answer = flight.Answer!;
        var source = flight.Exchange;
        var reader = Reader(exchange);
        var wantsPart = wanted.Request.HasRange || wanted.Request.IsConditional;
        if (wantsPart && settings.Mode == CacheMode.Standard && answer.Content is { IsComplete: true, IsKept: true })
        {
            // What the client asked for is judged by what is stored now. While not all is there, the whole is a right answer too (RFC 9110 14.2).
            await reader.DisposeAsync();
            if (TryServe(exchange, answer, wanted.Request, wanted.Miss, default))
            {
                exchange.Answer(Outcome.Forwarded, exchange.ResponseStatus);
                return;
            }
        }

        Note(exchange, wanted.Miss, answer.IsOverridden);
        exchange.ResponseHeaders.AddAll(source.ResponseHeaders);
        if (answer.Content.IsComplete)
        {
            // Then its end has seen them too.
            source.ResponseHeaders.Release();
        }

        Finish(exchange, wanted.Miss, source.ResponseStatus, answer.Content.IsKept, "", answer.IsOverridden);
        exchange.ResponseBody = reader;
        exchange.Answer(Outcome.Forwarded, source.ResponseStatus);
    }

    /// <summary>Waits for another exchange's answer.</summary>
    /// <param name="exchange">Who waits.</param>
    /// <param name="seat">In the other's flight. It is given up, unless content is read through it.</param>
    /// <param name="wanted">What for.</param>
    /// <param name="isLast">A failure is this exchange's too.</param>
    private async ValueTask<Followed> FollowAsync(Exchange exchange, FlightSeat seat, Wanted wanted, bool isLast)
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
            return Followed.Answered;
        }

        if (flight.Result is FlightResult.Stored or FlightResult.Validated && IsFor(exchange, flight.Answer!, wanted) && TryFollow(exchange, seat, wanted))
        {
            return Followed.Answered;
        }

        seat.Leave();
        switch (flight.Result)
        {
            case FlightResult.Withdrawn:
                return Followed.LookAgain;
            case FlightResult.Failed when isLast && flight.Exchange.Rejection is null:
                FailLike(exchange, flight.Exchange, wanted);
                return Followed.Answered;
            case FlightResult.Failed:
                return Followed.AskAgain;
            case FlightResult.Stored or FlightResult.Validated when !VaryKey.Matches(flight.Answer!.Vary, exchange.RequestHeaders):
                return Followed.AskForVariant;
            default:
                return Followed.AskAlone;
        }
    }

    /// <summary>Takes the answer that another exchange brought: complete, or while it comes.</summary>
    private bool TryFollow(Exchange exchange, FlightSeat seat, in Wanted wanted)
    {
        var answer = seat.Flight.Answer!;
        if (answer.Content.IsComplete)
        {
            if (!TryServe(exchange, answer, wanted.Request, CacheResult.Collapsed, default))
            {
                return false;
            }

            seat.Leave();
            return true;
        }

        var reader = Reader(exchange);
        if (wanted.Request.HasRange || wanted.Request.IsConditional || !reader.TryBegin(answer.Content, seat))
        {
            return false;
        }

        ServeHead(exchange, answer, CacheResult.Collapsed, wanted.Miss, default, cache.Time.GetTimestamp());
        exchange.ResponseBody = reader;
        exchange.Answer(Outcome.ServedFromCache, answer.Status);
        return true;
    }

    /// <summary>Uses an answer that came into the store since the last look.</summary>
    private bool TryServeNew(Exchange exchange, in Wanted wanted) =>
        cache.Store.Find(wanted.Key.Value, exchange.RequestHeaders, out _) is { } come && come != wanted.Stored && IsFor(exchange, come, wanted)
        && TryServe(exchange, come, wanted.Request, CacheResult.Hit, default);

    private bool IsFor(Exchange exchange, StoredAnswer answer, in Wanted wanted)
    {
        var now = cache.Time.GetTimestamp();
        return VaryKey.Matches(answer.Vary, exchange.RequestHeaders) && !cache.Epochs.IsPurged(answer, wanted.Key, exchange.Target, now) && answer.UseFor(wanted.Request.Control, now, cache.Time) == StoredUse.Fresh;
    }

    private void FailLike(Exchange exchange, Exchange source, in Wanted wanted)
    {
        // An open circuit, and destinations that are all set aside, are the same failure, known beforehand. Who was spared the call for another reason can be reached, and is in trouble: RFC 5861 4 alone holds.
        var isGone = source.Failure is { Source: FailureSource.Upstream } || source.Rejection is { Code: "circuit_open" or "destinations_set_aside" };
        if ((isGone || source.Rejection is { SparesUpstream: true }) && TryReplace(exchange, wanted, isGone ? settings.StaleOnFailure : TimeSpan.Zero, isGone ? "upstream-failed"u8 : "stale-if-error"u8))
        {
            return;
        }

        Note(exchange, wanted.Miss);
        if (source.Rejection is { } rejection)
        {
            exchange.Reject(rejection);
        }
        else
        {
            exchange.Fail(source.Failure ?? ClientLeft);
        }
    }

    /// <summary>Puts a stale answer in the place of an error, where that may be.</summary>
    private bool TryReplace(Exchange exchange, in Wanted wanted, TimeSpan staleOnFailure, ReadOnlySpan<byte> detail) =>
        wanted.Stored is { } stored && stored.MayReplaceError(wanted.Request.Control, staleOnFailure, cache.Time.GetTimestamp(), cache.Time)
        && TryServe(exchange, stored, wanted.Request, CacheResult.HitStale, detail);

    /// <summary>One for all: when somebody asks already, nothing is done.</summary>
    private void Refresh(Exchange exchange, ExchangeHandler next, in Wanted wanted)
    {
        var place = PlaceOf(exchange, wanted);
        if (cache.Flights.Contains(place) || !cache.Refreshes.TryBegin())
        {
            return;
        }

        var flight = new Flight(cache, settings, exchange, wanted, client: null, place);
        if (cache.Flights.TryAdd(flight))
        {
            flight.AskInBackground(next);
        }
        else
        {
            cache.Refreshes.End();
        }
    }

    /// <summary>Puts a stored answer onto the exchange: the whole, a part, or that the client's own copy holds. Nothing, when its content is not there to be read.</summary>
    private bool TryServe(Exchange exchange, StoredAnswer answer, in RequestTerms request, CacheResult result, ReadOnlySpan<byte> detail) =>
        TryServe(exchange, answer, request, result, detail, cache.Time.GetTimestamp());

    private bool TryServe(Exchange exchange, StoredAnswer answer, in RequestTerms request, CacheResult result, ReadOnlySpan<byte> detail, long now)
    {
        if (!answer.Content.IsComplete || !answer.Content.IsKept)
        {
            return false;
        }

        ServeHead(exchange, answer, result, result, detail, now);
        var reader = Reader(exchange);
        var status = answer.Status;
        var isThere = true;
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
                isThere = reader.TryBegin(answer.Content, seat: null, range);
            }
            else
            {
                reader.BeginWithout(0);
            }
        }
        else
        {
            isThere = reader.TryBegin(answer.Content, seat: null);
        }

        if (!isThere)
        {
            throw new InvalidOperationException("Content that was complete and kept can be read for ever.");
        }

        exchange.ResponseBody = reader;
        exchange.Answer(Outcome.ServedFromCache, status);
        return true;
    }

    private void ServeHead(Exchange exchange, StoredAnswer answer, CacheResult result, CacheResult miss, ReadOnlySpan<byte> detail, long now)
    {
        Note(exchange, result, answer.IsOverridden);
        var fields = exchange.ResponseHeaders;
        fields.Clear();
        StoredHead.Decode(answer.Head, fields);
        if (answer.HasOwnControl)
        {
            fields.Remove(TargetedControl.OwnName);
        }

        Span<byte> age = stackalloc byte[20];
        System.Buffers.Text.Utf8Formatter.TryFormat((long)answer.Age(now, cache.Time).TotalSeconds, age, out var digits);
        fields.Add(KnownHeader.Age, age[..digits]);
        CacheStatusField.AddServed(fields, result, miss, answer.Status, answer.FreshFor(now, cache.Time), new CacheStatusDetail(detail, answer.IsOverridden));
    }

    private ContentReader Reader(Exchange exchange)
    {
        if (exchange.CachingState is not ContentReader { IsSpoiled: false } reader)
        {
            exchange.CachingState = reader = new ContentReader(cache.Store);
        }

        return reader;
    }
}
