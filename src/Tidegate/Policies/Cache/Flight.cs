using System.Buffers;
using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Transport;

namespace Tidegate.Policies.Cache;

/// <summary>
/// One request to an upstream on behalf of every exchange that waits for its answer. It is an exchange of its own, so that a client who leaves takes nothing
/// away from the others: content flows from the upstream into the store, and from there to each client.
/// </summary>
internal sealed class Flight
{
    private const int BufferBytes = 16 * 1024;

    private static readonly Failure NobodyWaits = new(FailureSource.Client, FailureKind.ClientAborted, Retryable: false, "Every client that waited for the answer went away.");
    private static readonly Failure OurBug = new(FailureSource.Gateway, FailureKind.GatewayError, Retryable: false, "The gateway failed while it stored the answer. The log says why.");

    private static readonly Failure TooSlow = new(FailureSource.Upstream, FailureKind.TotalTimeout, Retryable: false, "The stored answer was not refreshed within a minute.");

    // A refresh that nobody waits for ends with this; whoever has joined it by then keeps it going.
    private static readonly TimeSpan MaxRefreshTime = TimeSpan.FromMinutes(1);

    private readonly HttpCache _cache;
    private readonly CacheSettings _settings;
    private readonly CacheKey _key;
    private readonly RequestTerms _request;
    private readonly CancellationTokenSource _broken = new();
    private readonly Lock _gate = new();
    private readonly List<FlightSeat> _seats = [];

    // As the client sent them: what policies further in put onto the request is not what an answer is looked for by.
    private readonly HeaderList _requested = new();
    private readonly long _epoch;
    private long _asked;
    private bool _isBroken;
    private volatile bool _tookTooLong;
    private Task? _storing;

    /// <param name="cache">Where the answer goes.</param>
    /// <param name="settings">The route's.</param>
    /// <param name="exchange">On whose behalf; what matters of it is copied.</param>
    /// <param name="wanted">What it wants.</param>
    /// <param name="client">Where interim answers go; null when nobody wants them, because the request is made in the background.</param>
    /// <param name="place">Where others meet it; null: at the key, whatever its answer varies by.</param>
    public Flight(HttpCache cache, CacheSettings settings, Exchange exchange, in Wanted wanted, ClientResponseWriter? client, UInt128? place = null)
    {
        Key = place ?? wanted.Key.Value;
        _cache = cache;
        _settings = settings;
        _key = wanted.Key;
        _request = wanted.Request;
        _epoch = cache.Epochs.Current;
        Validated = wanted.Validated;
        Exchange = new Exchange { Connection = exchange.Connection, Client = new InterimWriter(client) };
        Exchange.CopyRequest(exchange, _broken.Token);
        _requested.AddAll(exchange.RequestHeaders);
        Exchange.Timings.Received = cache.Time.GetTimestamp();
        FirstSeat = new FlightSeat(this);
        _seats.Add(FirstSeat);
        if (Validated is not null)
        {
            AskWhetherItHolds(Validated);
        }
    }

    /// <summary>Who wants this one, wants the same.</summary>
    public UInt128 Key { get; }

    /// <summary>The request and, after <see cref="AskAsync"/>, its answer.</summary>
    public Exchange Exchange { get; }

    public StoredAnswer? Validated { get; }

    /// <summary>Of the exchange that asks: it reads from the first byte on, before anything can be let go.</summary>
    public ContentReader? FirstReader { private get; set; }

    /// <summary>The seat of whoever asks. A flight begins with it, so that none is ever without one before it is over.</summary>
    public FlightSeat FirstSeat { get; }

    public FlightResult Result { get; private set; }

    /// <summary>What is, or will be, stored.</summary>
    public StoredAnswer? Answer { get; private set; }

    /// <summary>Why the answer is not stored.</summary>
    public string WhyNot { get; private set; } = "";

    /// <summary>A seat; null when the flight is broken off.</summary>
    public FlightSeat? TryTakeSeat()
    {
        lock (_gate)
        {
            if (_isBroken)
            {
                return null;
            }

            var seat = new FlightSeat(this);
            _seats.Add(seat);
            if (Result != FlightResult.Asking)
            {
                seat.Signal.Set();
            }

            return seat;
        }
    }

    /// <summary>Somebody is no longer interested.</summary>
    public void SeatLeft(FlightSeat seat)
    {
        lock (_gate)
        {
            _seats.Remove(seat);
            if (_isBroken || _seats.Count > 0 || Answer?.Content.IsComplete == true)
            {
                return;
            }

            // In the lock, so that nobody takes a seat in what is being broken off.
            _isBroken = true;
        }

        _cache.Flights.Remove(this);
        _broken.Cancel();
    }

    /// <summary>Nobody needs to be asked after all. Whoever waits already looks into the store.</summary>
    public void Withdraw()
    {
        Arrive(FlightResult.Withdrawn);
        FirstSeat.Leave();
    }

    /// <summary>Asks the upstream, up to the head of its answer, and tells everybody who waits.</summary>
    public async ValueTask AskAsync(ExchangeHandler next)
    {
        try
        {
            _asked = _cache.Time.GetTimestamp();
            await next(Exchange);
            if (Validated is not null && Exchange is { Outcome: Outcome.Forwarded, ResponseStatus: 304 } && !IsAboutValidated())
            {
                // RFC 9111 4.3.3: it confirms an answer that we do not have. Asked without conditions it must send one.
                await EndAsync();
                Exchange.ForgetAnswer();
                Exchange.RequestHeaders.Remove(KnownHeader.IfNoneMatch);
                Exchange.RequestHeaders.Remove(KnownHeader.IfModifiedSince);
                await next(Exchange);
            }

            await JudgeAsync();

            // What an answer is looked for by is in its key now.
            _requested.Release();
        }
        catch
        {
            // Whoever waits is told, and what lasts as long as the answer (a place in flight, for one) ends.
            Exchange.Fail(OurBug);
            Arrive(FlightResult.Failed);
            FirstSeat.Leave();
            await EndAsync();
            throw;
        }
    }

    /// <summary>As <see cref="AskAsync"/>, with nobody who waits: on this thread's reactor, or the thread pool, after what is being done now.</summary>
    public void AskInBackground(ExchangeHandler next)
    {
        // Its client is answered already, and pays for nothing more: this is an exchange, and a record, of its own.
        Exchange.LeaveBill();
        Exchange.Cache = CacheResult.Refresh;
        _cache.OnRefreshBegins(Exchange);

        // It is nobody's own request: the whole is wanted, whatever the client has or wants of it.
        Exchange.Method = Exchange.Method == "HEAD" ? "GET" : Exchange.Method;
        if (Validated is null)
        {
            ForgetConditions();
        }

        var work = (this, next);
        if (Reactor.Current is { } reactor)
        {
            reactor.Post(static state =>
            {
                var (flight, next) = ((Flight, ExchangeHandler))state!;
                _ = flight.AskUnwatchedAsync(next);
            }, work);
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(static work => _ = work.Item1.AskUnwatchedAsync(work.next), work, preferLocal: false);
        }
    }

    /// <summary>The answer is over: for whoever took it, or threw it away.</summary>
    public async ValueTask EndAsync()
    {
        await Exchange.ResponseBody.DisposeAsync();
        Exchange.EndAnswer(downTo: 0);
    }

    /// <summary>The answer is over before its readers learn that it is whole: the exchange that asked ends with all that it has cost.</summary>
    /// <returns>Its trailers.</returns>
    private async ValueTask<HeaderList?> EndWholeAsync()
    {
        HeaderList? trailers = null;
        if (Exchange.ResponseBody.Trailers is { Count: > 0 } given)
        {
            trailers = new HeaderList();
            trailers.AddAll(given);
        }

        await EndAsync();
        Exchange.ResponseBody = MessageBody.Empty;
        return trailers;
    }

    private async Task AskUnwatchedAsync(ExchangeHandler next)
    {
        var limit = _cache.Time.CreateTimer(static flight => ((Flight)flight!).GiveUp(), this, MaxRefreshTime, Timeout.InfiniteTimeSpan);
        try
        {
            await AskAsync(next);
            if (_storing is not null)
            {
                await _storing;
                if (Exchange.Failure is not null)
                {
                    _cache.Counters.CountRefreshFailure();
                }
            }
            else if (Result is FlightResult.NotStored or FlightResult.Failed)
            {
                if (Result == FlightResult.Failed || Exchange.ResponseStatus >= 500)
                {
                    _cache.Counters.CountRefreshFailure();
                }
                else if (Validated is { } old)
                {
                    // What it is now must not be stored; what it was is no more.
                    _cache.DropUntrue(old);
                }

                await EndAsync();
            }
        }
        catch (Exception bug)
        {
            _cache.OnBug(bug);
        }
        finally
        {
            await limit.DisposeAsync();
            FirstSeat.Leave();
            _cache.Refreshes.End();
            if (_tookTooLong && Exchange.Failure?.Source == FailureSource.Client)
            {
                // No client of its own broke it off: the upstream took too long.
                Exchange.ForgetAnswer();
                Exchange.Fail(TooSlow);
            }

            Exchange.Timings.Ended = _cache.Time.GetTimestamp();
            _cache.OnRefreshEnds(Exchange);
        }
    }

    private void GiveUp()
    {
        _tookTooLong = true;
        FirstSeat.Leave();
    }

    private void ForgetConditions()
    {
        var fields = Exchange.RequestHeaders;
        fields.Remove(KnownHeader.IfNoneMatch);
        fields.Remove(KnownHeader.IfModifiedSince);
        fields.Remove(KnownHeader.IfRange);
        fields.Remove(KnownHeader.Range);
    }

    private void AskWhetherItHolds(StoredAnswer stored)
    {
        ForgetConditions();
        var fields = Exchange.RequestHeaders;
        if (StoredHead.TryGet(stored.Head, KnownHeader.ETag, out var tag))
        {
            fields.Add(KnownHeader.IfNoneMatch, tag);
        }

        if (StoredHead.TryGet(stored.Head, KnownHeader.LastModified, out var modified))
        {
            fields.Add(KnownHeader.IfModifiedSince, modified);
        }
    }

    /// <summary>RFC 9111 4.3.4: a 304 with a strong validator is about answers that have the same.</summary>
    private bool IsAboutValidated() =>
        !Exchange.ResponseHeaders.TryGet(KnownHeader.ETag, out var tag) || !StoredHead.TryGet(Validated!.Head, KnownHeader.ETag, out var stored)
        || EntityTags.WeaklyEqual(tag, stored);

    private async ValueTask JudgeAsync()
    {
        if (Exchange.Outcome != Outcome.Forwarded)
        {
            Arrive(FlightResult.Failed);
            return;
        }

        var now = _cache.Time.GetTimestamp();
        if (Validated is { } stored && Exchange.ResponseStatus == 304)
        {
            var fields = new HeaderList();
            StoredHead.Decode(stored.Head, fields);
            StoredHead.Update(fields, Exchange.ResponseHeaders);
            if (!Exchange.ResponseHeaders.Contains(KnownHeader.Date))
            {
                // RFC 9110 6.6.1: without one it is of now; the stored answer's would make it as old as that.
                fields.Remove(KnownHeader.Date);
            }

            var updated = TryMake(stored.Status, fields, stored.Content, stored.Vary, now);
            await EndAsync();
            if (updated is not null)
            {
                _cache.Keep(updated, stored, reserved: 0);
            }
            else
            {
                _cache.DropUntrue(stored);
            }

            Answer = updated ?? stored;
            Arrive(FlightResult.Validated);
            return;
        }

        if (Validated is { } old && Exchange.ResponseStatus is 500 or 502 or 503 or 504 && old.MayReplaceError(_request.Control, TimeSpan.Zero, now, _cache.Time))
        {
            WhyNot = "stale-if-error";
            Arrive(FlightResult.NotStored);
            return;
        }

        var length = Exchange.ResponseBody.Length;
        var content = new StoredContent(_cache.Store, _key.Value, length);
        if (!VaryKey.TryMake(Exchange.ResponseHeaders, _requested, out var vary))
        {
            WhyNot = "vary";
        }
        else if (length > _settings.MaxEntryBytes)
        {
            WhyNot = "too-large";
        }
        else
        {
            Answer = TryMake(Exchange.ResponseStatus, Exchange.ResponseHeaders, content, vary, now);
        }

        if (Answer is null)
        {
            if (Exchange.ResponseStatus != 304 && !_request.IsConditional)
            {
                _cache.Uncacheable.Remember(Key);
            }

            Arrive(FlightResult.NotStored);
            return;
        }

        _cache.Uncacheable.Forget(Key);

        // What is there already is stored before anybody reads it: most answers are.
        FirstReader?.TryBegin(Answer.Content, FirstSeat);
        _storing = StoreAsync(Answer);
        Arrive(FlightResult.Stored);
    }

    /// <summary>The answer as it is stored; null when it is not to be.</summary>
    private StoredAnswer? TryMake(int status, HeaderList fields, StoredContent content, ReadOnlySpan<byte> vary, long now)
    {
        var terms = AnswerTerms.Read(_settings, status, fields, _request, _cache.Time.GetElapsedTime(_asked, now), _cache.Time.GetUtcNow());
        var answer = AnswerMaker.TryMake(_cache, _settings, _key, _key.IsPrivate ? CacheKey.OfCredentials(_cache.Secret, _requested) : [], Exchange.Target, status, fields, content, vary, terms, _epoch, now, out var whyNot);
        WhyNot = whyNot;
        return answer;
    }

    private void Arrive(FlightResult result)
    {
        if (result != FlightResult.Stored)
        {
            _cache.Flights.Remove(this);
        }

        lock (_gate)
        {
            Result = result;
            foreach (var seat in _seats)
            {
                seat.Signal.Set();
            }
        }
    }

    /// <summary>From the upstream into the content, a bounded way ahead of whoever reads it; into the store when it is complete.</summary>
    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ContentEnd> FillAsync(StoredContent content)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            while (await Exchange.ResponseBody.ReadAsync(buffer, _broken.Token) is > 0 and var read)
            {
                Exchange.ResponseBodyBytes += read;
                if (content.IsKept && (content.Length + read > _settings.MaxEntryBytes || !content.TryReserve(read)))
                {
                    // Too large after all: those who read it go on, nobody else begins, and what they have read is let go.
                    _cache.Flights.Remove(this);
                    content.BecomeWindow();
                }

                if (!content.IsKept && !content.HasReaders)
                {
                    throw new OperationCanceledException("Nobody reads it, and it is not kept.");
                }

                content.Append(buffer.AsSpan(0, read));
                await content.WaitForRoomAsync();
            }

            return content.End(await EndWholeAsync());
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>What waits for the end of the answer (a circuit) sees that it broke, as readers do.</summary>
    private void Break(StoredContent content, Failure failure)
    {
        Exchange.Fail(failure);
        content.Fail(failure);
    }

    private async Task StoreAsync(StoredAnswer answer)
    {
        var content = answer.Content;
        var end = default(ContentEnd);
        try
        {
            end = await FillAsync(content);
            if (content.IsKept)
            {
                _cache.Keep(answer, Validated, end.Reserved);
            }
        }
        catch (MessageBodyException broken)
        {
            Break(content, broken.Failure);
        }
        catch (OperationCanceledException)
        {
            Break(content, NobodyWaits);
        }
        catch (Exception bug)
        {
            Break(content, OurBug);
            _cache.OnBug(bug);
        }
        finally
        {
            // Whoever has read its end may ask again at once, and must find what it has read.
            end.Tell();
            _cache.Flights.Remove(this);
            await EndAsync();

            // Nobody sends it again. Lists that keep their memory would take it from the pool for good.
            Exchange.RequestHeaders.Release();
        }
    }
}
