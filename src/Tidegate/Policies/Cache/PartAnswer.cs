using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>
/// What comes of a request for a range that nothing stored can answer. A 206 is a part (RFC 9111 3.3): it is put together with those of the same whole, which a
/// strong entity tag tells (RFC 9111 3.4), and answers requests for ranges within. When all are there they are the whole. A 200 is the whole at once.
/// </summary>
internal sealed class PartAnswer
{
    private readonly HttpCache _cache;
    private readonly CacheSettings _settings;
    private readonly CacheKey _key;
    private readonly RequestTerms _request;
    private readonly ExchangeTarget _target;
    private readonly ulong[] _credentials;

    // As the client sent them: policies further in change the exchange's own.
    private readonly HeaderList _requested;
    private readonly bool _hasIfRange;
    private readonly long _asked;
    private readonly long _epoch;
    private byte[]? _vary;
    private long _received;

    private PartAnswer(Exchange exchange, HeaderList requested, HttpCache cache, CacheSettings settings, in CacheKey key, in RequestTerms request)
    {
        (_cache, _settings, _key, _request, _target, _requested) = (cache, settings, key, request, exchange.Target, requested);

        // The client's, or the gateway's when it asks for what is missing.
        _hasIfRange = exchange.RequestHeaders.Contains(KnownHeader.IfRange);
        _credentials = key.IsPrivate ? CacheKey.OfCredentials(cache.Secret, _requested) : [];
        _asked = cache.Time.GetTimestamp();
        _epoch = cache.Epochs.Current;
    }

    /// <summary>The configuration says how long what is stored is fresh, against what the answer says.</summary>
    public bool IsOverridden { get; private set; }

    /// <summary>What must be known before the request goes on; null when its answer will not be stored in any case.</summary>
    /// <param name="exchange">As it goes on.</param>
    /// <param name="requested">The fields as the client sent them, never changed again.</param>
    /// <param name="cache">Where it goes.</param>
    /// <param name="settings">The route's.</param>
    /// <param name="key">Of the whole.</param>
    /// <param name="request">What the request says.</param>
    public static PartAnswer? Expect(Exchange exchange, HeaderList requested, HttpCache cache, CacheSettings settings, in CacheKey key, in RequestTerms request) =>
        settings.Mode == CacheMode.Standard && exchange.Method == "GET" && request is { HasRange: true, IsPost: false } ? new PartAnswer(exchange, requested, cache, settings, key, request) : null;

    /// <summary>Has the answer stored as the client reads it, when that may be.</summary>
    /// <param name="exchange">With the answer on it.</param>
    /// <param name="whyNot">A word for Cache-Status.</param>
    public bool TryStore(Exchange exchange, out string whyNot)
    {
        whyNot = "range";
        if (exchange.ResponseStatus is not (200 or 206) || !VaryKey.TryMake(exchange.ResponseHeaders, _requested, out _vary))
        {
            return false;
        }

        _received = _cache.Time.GetTimestamp();
        if (exchange.ResponseStatus == 200)
        {
            return TryStoreWhole(exchange, out whyNot);
        }

        var fields = exchange.ResponseHeaders;
        if (!PartRange.TryRead(fields, out var range, out var total) || total > _settings.MaxEntryBytes || (exchange.ResponseBody.Length is { } length && length != range.Length)
            || fields.CountOf(KnownHeader.ETag) != 1 || !fields.TryGet(KnownHeader.ETag, out var tag) || EntityTags.IsWeak(tag) || !IsUsable(Read(fields)))
        {
            return false;
        }

        // An answer to If-Range need not describe the whole again (RFC 9110 15.3.7): there must be something that does.
        var held = Held(tag, total);
        if (held is null && _hasIfRange)
        {
            return false;
        }

        var kept = new HeaderList();
        kept.AddAll(fields);
        exchange.ResponseBody = new PartBody(exchange.ResponseBody, this, new StoredContent(_cache.Store, CacheKey.OfParts(_key.Value), range.Length), kept, range, total);
        return true;
    }

    /// <summary>All of a part has come.</summary>
    /// <param name="part">Complete.</param>
    /// <param name="fields">Of the answer that it came with.</param>
    /// <param name="range">Where it belongs.</param>
    /// <param name="total">The whole's length.</param>
    public void Join(StoredContent part, HeaderList fields, ByteRange range, long total)
    {
        fields.TryGet(KnownHeader.ETag, out var tag);
        var held = Held(tag, total);
        if (held is null && _hasIfRange)
        {
            return;
        }

        if (HeldParts.Join(held?.Content.Parts, total, range.Start, part.Pieces) is not { } parts)
        {
            return;
        }

        // RFC 9111 3.4: the newer fields over the older ones.
        var joined = new HeaderList();
        if (held is not null)
        {
            StoredHead.Decode(held.Head, joined);
            joined.Remove(KnownHeader.Date);
            StoredHead.Update(joined, fields);
        }
        else
        {
            joined.AddAll(fields);
        }

        joined.Remove("Content-Range"u8);
        Preconditions.RemoveDigestsOfContent(joined);
        var terms = Read(joined);
        if (!IsUsable(terms))
        {
            return;
        }

        // As old as the oldest of them: what was purged since is not in it.
        var epoch = held is not null && held.Epoch < _epoch ? held.Epoch : _epoch;
        var key = parts.IsWhole ? _key : _key with { Value = CacheKey.OfParts(_key.Value) };
        var content = parts.IsWhole ? StoredContent.Of(parts) : new StoredContent(parts);
        if (AnswerMaker.TryMake(_cache, _settings, key, _credentials, _target, 200, joined, content, _vary, terms, epoch, _received, out _) is { } answer)
        {
            _cache.KeepParts(answer, held);
        }
    }

    /// <summary>A part's own room is free.</summary>
    public void GiveBack(long reserved) => _cache.Store.Release(reserved);

    private bool TryStoreWhole(Exchange exchange, out string whyNot)
    {
        whyNot = "too-large";
        var length = exchange.ResponseBody.Length;
        if (length > _settings.MaxEntryBytes)
        {
            return false;
        }

        var content = new StoredContent(_cache.Store, _key.Value, length);
        var fields = exchange.ResponseHeaders;
        if (AnswerMaker.TryMake(_cache, _settings, _key, _credentials, _target, 200, fields, content, _vary, Read(fields), _epoch, _received, out whyNot) is not { } answer)
        {
            return false;
        }

        exchange.ResponseBody = new StoringBody(exchange.ResponseBody, answer, _cache, _settings.MaxEntryBytes);
        return true;
    }

    /// <summary>The parts of the same whole that are there, and may be used.</summary>
    private StoredAnswer? Held(ReadOnlySpan<byte> tag, long total) =>
        _cache.Store.Find(CacheKey.OfParts(_key.Value), _requested, out _) is { Content.Parts: { } parts } held && parts.Total == total && StoredHead.TryGet(held.Head, KnownHeader.ETag, out var known)
        && EntityTags.StronglyEqual(tag, known) && !_cache.Epochs.IsPurged(held, _key, _target, _cache.Time.GetTimestamp()) && !held.IsSoftPurged ? held : null;

    private AnswerTerms Read(HeaderList fields)
    {
        var terms = AnswerTerms.Read(_settings, 200, fields, _request, _cache.Time.GetElapsedTime(_asked, _received), _cache.Time.GetUtcNow());
        IsOverridden = terms.IsOverridden;
        return terms;
    }

    /// <summary>Nobody validates parts: stale ones are of no use.</summary>
    private static bool IsUsable(in AnswerTerms terms) => terms is { IsStorable: true, NeedsValidation: false } && terms.Lifetime > terms.InitialAge;
}
