using System.Runtime.CompilerServices;
using Tidegate.Exchanges;
using Tidegate.Policies.Cache.Disk;
using Tidegate.Transport;

namespace Tidegate.Policies.Cache;

/// <summary>
/// The HTTP cache of a route (RFC 9111): decides for each exchange whether a stored answer may be used, must be validated, or cannot help.
/// How the answer then comes to the exchange, from the store or by a <see cref="Flight"/>, is <see cref="AnswerDelivery"/>'s.
/// </summary>
internal sealed class CachePolicy(CacheSettings settings, HttpCache cache) : IPolicy
{
    private static readonly Rejection NotStored = new("cache", "not_cached", 504, "The request says only-if-cached, and no stored answer can be used for it.");

    private readonly AnswerDelivery _delivery = new(settings, cache);

    private CacheKeyParts? _keyParts;

    // Whoever waited for the disk while memory let go of what came reads it once more.
    private const int MaxLoads = 2;

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
            return settings.KeysBody && exchange.Method == "POST" && settings.Mode == CacheMode.Standard ? AnswerPostAsync(exchange, next) : PassOtherMethodAsync(exchange, next);
        }

        if (settings.Mode == CacheMode.Off)
        {
            return next(exchange);
        }

        var request = RequestTerms.Read(exchange, settings, keysBody: false);
        if (request.Bypass is not null || CacheKey.Of(exchange, settings, KeyParts()) is not { } key)
        {
            return PassAsync(exchange, next, CacheResult.Bypass, request.Bypass ?? "key-too-large");
        }

        return AnswerAsync(exchange, next, key, request, loadsLeft: MaxLoads);
    }

    public PolicyExplanation Explain(Exchange exchange) => CacheExplanation.Of(exchange, settings, cache, KeyParts(), content: default, onDisk: null);

    /// <summary>As <see cref="Explain"/>, and with what only the disk has.</summary>
    /// <param name="exchange">What would be asked.</param>
    /// <param name="content">The request's.</param>
    public async ValueTask<PolicyExplanation> ExplainAsync(Exchange exchange, ReadOnlyMemory<byte> content)
    {
        var key = CacheExplanation.KeyOf(exchange, settings, KeyParts(), content.Span);
        var onDisk = key is not null && cache.Disk?.Find(key.Value.Value, exchange.RequestHeaders) is { } entry ? await cache.Disk.PeekAsync(entry) : null;
        return CacheExplanation.Of(exchange, settings, cache, KeyParts(), content, onDisk);
    }

    /// <summary>From the store when that may be, and that without waiting; else from the upstream.</summary>
    private ValueTask AnswerAsync(Exchange exchange, ExchangeHandler next, CacheKey key, in RequestTerms asked, int loadsLeft)
    {
        var request = asked;
        request.IsPrivatePartition = key.IsPrivate;
        request.IsOneCaller = key.IsOneCaller;

        // :: Step 1: What is stored, and may be used as it is.
        var now = cache.Time.GetTimestamp();
        var stored = Find(exchange, key, request, now, out var miss);
        if (stored is null && loadsLeft > 0 && settings.Mode == CacheMode.Standard && !request.Control.NoStore && cache.Disk?.Find(key.Value, exchange.RequestHeaders) is { } entry)
        {
            return AnswerFromDiskAsync(exchange, next, key, request, cache.Disk, entry, loadsLeft - 1);
        }

        if (stored is not null)
        {
            var use = stored.UseFor(request.Control, now, cache.Time);
            if (settings.Mode == CacheMode.Observe)
            {
                miss = use is StoredUse.Fresh or StoredUse.Stale or StoredUse.StaleWhileRevalidate ? CacheResult.WouldHit : CacheResult.StaleMiss;
                stored = null;
            }
            else if (_delivery.TryServe(exchange, next, key, request, stored, use, now))
            {
                return default;
            }
            else
            {
                miss = use == StoredUse.ValidateForRequest ? CacheResult.Request : CacheResult.StaleMiss;
            }
        }

        // RFC 9110 14.2: Range means something for GET alone.
        StoredAnswer? parts = null;
        if (request.HasRange && exchange.Method == "GET" && settings.Mode == CacheMode.Standard && TryServePart(exchange, key, request, ref miss, out parts))
        {
            return default;
        }

        // :: Step 2: Requests that want nothing else, and those whose answer cannot be stored.
        if (request.Control.OnlyIfCached && settings.Mode == CacheMode.Standard)
        {
            _delivery.Note(exchange, miss);
            exchange.Reject(NotStored);
            return default;
        }

        if (request.Control.NoStore)
        {
            return PassAsync(exchange, next, CacheResult.Request, "no-store");
        }

        // HEAD brings no content to store, and a part is not stored as the whole.
        if (exchange.Method == "HEAD")
        {
            return stored is null ? PassAsync(exchange, next, miss, "") : PassHeadAsync(exchange, next, miss, new HeadAnswer(exchange, cache, settings, key, request, stored));
        }

        if (request.HasRange && stored?.HasValidator != true)
        {
            return PassRangeAsync(exchange, next, key, request, miss, parts is null ? null : PartGap.Find(exchange, cache, key, parts, request));
        }

        // :: Step 3: The upstream, once for all who want the same.
        if (settings.Mode == CacheMode.Observe)
        {
            return ObserveAsync(exchange, next, new Wanted(key, request, stored, miss));
        }

        return _delivery.FetchAsync(exchange, next, new Wanted(key, request, stored, miss));
    }

    private async ValueTask PassHeadAsync(Exchange exchange, ExchangeHandler next, CacheResult miss, HeadAnswer answer)
    {
        exchange.RequestBodyBytes = 0;
        _delivery.Note(exchange, miss);
        await next(exchange);
        if (exchange.Outcome == Outcome.Forwarded)
        {
            // As it came: what is said of this exchange alone is not stored.
            answer.Apply(exchange);
            _delivery.Finish(exchange, miss, exchange.ResponseStatus, isStored: false, "");
        }
    }

    /// <param name="exchange">Which asks for a range.</param>
    /// <param name="key">Of the whole.</param>
    /// <param name="request">What it says.</param>
    /// <param name="miss">Why not.</param>
    /// <param name="parts">What is held of the whole.</param>
    private bool TryServePart(Exchange exchange, in CacheKey key, in RequestTerms request, ref CacheResult miss, out StoredAnswer? parts)
    {
        parts = null;
        if (request.Control.NoStore || cache.Store.Find(CacheKey.OfParts(key.Value), exchange.RequestHeaders, out _) is not { Content.Parts: not null } held)
        {
            return false;
        }

        var now = cache.Time.GetTimestamp();
        if (cache.Epochs.IsPurged(held, key, exchange.Target, now))
        {
            cache.Store.Drop(held);
            return false;
        }

        miss = CacheResult.Partial;
        parts = held;
        return _delivery.TryServePart(exchange, held, request, held.UseFor(request.Control, now, cache.Time));
    }

    private async ValueTask PassRangeAsync(Exchange exchange, ExchangeHandler next, CacheKey key, RequestTerms request, CacheResult miss, PartGap? gap)
    {
        exchange.RequestBodyBytes = 0;
        _delivery.Note(exchange, miss);
        var endings = exchange.EndingCount;

        // Once: behind the first answer the exchange has what policies further in have put on, the gateway's credential among it.
        var requested = new HeaderList();
        requested.AddAll(exchange.RequestHeaders);
        gap?.Ask(exchange.RequestHeaders);
        var part = PartAnswer.Expect(exchange, requested, cache, settings, key, request);
        await next(exchange);
        var filled = GapAnswer.Other;
        if (gap is not null)
        {
            gap.Restore(exchange.RequestHeaders);
            filled = exchange.Outcome == Outcome.Forwarded ? gap.Judge(exchange) : GapAnswer.Other;
        }

        if (filled == GapAnswer.Unfit)
        {
            await AnswerDiscard.DiscardAsync(exchange);
            exchange.EndAnswer(endings);
            exchange.ForgetAnswer();
            part = PartAnswer.Expect(exchange, requested, cache, settings, key, request);
            await next(exchange);
        }

        if (exchange.Outcome == Outcome.Forwarded)
        {
            var status = exchange.ResponseStatus;
            var whyNot = "range";
            var isStored = part?.TryStore(exchange, out whyNot) == true;
            if (filled == GapAnswer.Missing)
            {
                gap!.Fill(exchange);
            }

            var detail = filled switch
            {
                GapAnswer.Missing => "gap",
                GapAnswer.Other => isStored ? "" : whyNot,
                _ => "gap-changed",
            };
            _delivery.Finish(exchange, miss, status, isStored, detail, isStored && part!.IsOverridden);
        }
    }

    private async ValueTask ObserveAsync(Exchange exchange, ExchangeHandler next, Wanted wanted)
    {
        await _delivery.FetchAsync(exchange, next, wanted);
        if (!wanted.Request.HasRange && !wanted.Request.IsConditional && !wanted.Request.IsPost)
        {
            cache.Advisor.Watch(exchange, settings, wanted.Key, wanted.Request, cache.Secret);
        }
    }

    /// <summary>Memory has lost it, and the disk has it: it is read into memory, and used from there. A large one is used while it comes.</summary>
    private async ValueTask AnswerFromDiskAsync(Exchange exchange, ExchangeHandler next, CacheKey key, RequestTerms request, DiskTier disk, DiskEntry entry, int loadsLeft)
    {
        var load = await disk.LoadAsync(entry, exchange.RequestHeaders);
        if (load is { Completion.IsCompleted: false })
        {
            try
            {
                var now = cache.Time.GetTimestamp();
                if (!cache.Epochs.IsPurged(load.Answer, key, exchange.Target, now) && load.Answer.UseFor(request.Control, now, cache.Time) == StoredUse.Fresh && _delivery.TryServeFilling(exchange, load.Answer, request))
                {
                    return;
                }
            }
            finally
            {
                load.Begin();
            }

            await DiskTier.WaitAsync(load.Completion);
        }

        // Memory may have let go of it already.
        await AnswerAsync(exchange, next, key, request, load is null ? 0 : loadsLeft);
    }

    private CacheKeyParts KeyParts() => _keyParts is { } parts && parts.Secret == cache.Secret ? parts : _keyParts = CacheKeyParts.Of(settings, cache.Secret);

    private StoredAnswer? Find(Exchange exchange, in CacheKey key, in RequestTerms request, long now, out CacheResult miss)
    {
        miss = CacheResult.Miss;
        if (request.Control.NoStore)
        {
            return null;
        }

        if (cache.Store.Find(key.Value, exchange.RequestHeaders, out var hasOthers) is not { } stored)
        {
            miss = hasOthers ? CacheResult.VaryMiss : CacheResult.Miss;
            return null;
        }

        if (cache.Epochs.IsPurged(stored, key, exchange.Target, now))
        {
            cache.Drop(stored);
            return null;
        }

        return stored;
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask PassAsync(Exchange exchange, ExchangeHandler next, CacheResult result, string detail)
    {
        // What is sent is counted as it is sent.
        exchange.RequestBodyBytes = 0;
        _delivery.Note(exchange, result);
        await next(exchange);
        if (exchange.Outcome == Outcome.Forwarded)
        {
            _delivery.Finish(exchange, result, exchange.ResponseStatus, isStored: false, detail);
        }
    }

    [AsyncMethodBuilder(typeof(PooledAsyncValueTaskMethodBuilder))]
    private async ValueTask PassOtherMethodAsync(Exchange exchange, ExchangeHandler next)
    {
        if (settings.Mode != CacheMode.Off)
        {
            _delivery.Note(exchange, CacheResult.Method);
        }

        var posted = PostedAnswer.Expect(exchange, cache, settings, KeyParts());
        await next(exchange);
        if (exchange.Outcome == Outcome.Forwarded && exchange.UpstreamStream is null)
        {
            _delivery.Finish(exchange, CacheResult.Method, exchange.ResponseStatus, InvalidateAndStore(exchange, posted), "");
        }
    }

    /// <summary>RFC 9111 4.4: methods that nobody knows count as unsafe.</summary>
    /// <returns>Whether the answer is stored for those who ask next.</returns>
    private bool InvalidateAndStore(Exchange exchange, PostedAnswer? posted)
    {
        if (exchange.Method is "OPTIONS" or "TRACE")
        {
            return false;
        }

        var answer = posted?.TryMake(exchange);
        var isStored = answer is not null && posted!.Value.TryReplace(exchange, answer);
        Invalidation.Apply(exchange, cache, settings, isReplaced: answer is not null);
        if (isStored)
        {
            posted!.Value.Store(exchange, answer!);
        }

        return isStored;
    }

    /// <summary>A POST that the configuration calls a read: its content is read, becomes part of the key, and is sent all the same.</summary>
    private async ValueTask AnswerPostAsync(Exchange exchange, ExchangeHandler next)
    {
        var content = await KeyedContent.ReadAsync(exchange);
        if (exchange.Outcome == Outcome.Failed)
        {
            return;
        }

        var request = RequestTerms.Read(exchange, settings, keysBody: true);
        if (content is null || request.Bypass is not null || CacheKey.Of(exchange, settings, KeyParts(), content.Value.Span) is not { } key)
        {
            await PassAsync(exchange, next, CacheResult.Bypass, request.Bypass ?? (content is null ? "content-too-large" : "key-too-large"));
            return;
        }

        exchange.RequestBodyBytes = content.Value.Length;
        await AnswerAsync(exchange, next, key, request, loadsLeft: MaxLoads);
    }
}
