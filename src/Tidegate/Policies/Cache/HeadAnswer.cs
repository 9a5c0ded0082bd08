using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>
/// What an upstream's answer to HEAD says of the stored answer to GET that it would have been (RFC 9111 4.3.5): that it still holds, and then with newer fields; that
/// it is another one by now; or that this is in doubt.
/// </summary>
internal sealed class HeadAnswer
{
    private readonly HttpCache _cache;
    private readonly CacheSettings _settings;
    private readonly CacheKey _key;
    private readonly RequestTerms _request;
    private readonly StoredAnswer _stored;
    private readonly ExchangeTarget _target;
    private readonly ulong[] _credentials;
    private readonly long _asked;
    private readonly long _epoch;

    /// <summary>Before the request goes on.</summary>
    public HeadAnswer(Exchange exchange, HttpCache cache, CacheSettings settings, in CacheKey key, in RequestTerms request, StoredAnswer stored)
    {
        (_cache, _settings, _key, _request, _stored, _target) = (cache, settings, key, request, stored, exchange.Target);
        _credentials = key.IsPrivate ? CacheKey.OfCredentials(cache.Secret, exchange.RequestHeaders) : [];
        _asked = cache.Time.GetTimestamp();
        _epoch = cache.Epochs.Current;
    }

    /// <summary>Has the stored answer say what is so now, has it validated before its next use, or lets it go.</summary>
    public void Apply(Exchange exchange)
    {
        if (exchange.ResponseStatus != 200 || _stored.Place == AnswerPlace.None)
        {
            return;
        }

        switch (Compare(exchange.ResponseHeaders, exchange.ResponseBody.Length))
        {
            case Likeness.Same when Update(exchange.ResponseHeaders) is { } updated:
                _cache.Keep(updated, _stored, reserved: 0);
                break;
            case Likeness.Same or Likeness.Other:
                _cache.DropUntrue(_stored);
                break;
            case Likeness.Doubtful:
                _cache.Doubt(_stored);
                break;
        }
    }

    private StoredAnswer? Update(HeaderList newer)
    {
        var fields = new HeaderList();
        StoredHead.Decode(_stored.Head, fields);
        StoredHead.Update(fields, newer);
        if (!newer.Contains(KnownHeader.Date))
        {
            // As with a 304: without one it is of now.
            fields.Remove(KnownHeader.Date);
        }

        // As old as the question: an answer to GET that has come since then is newer, and stays.
        var terms = AnswerTerms.Read(_settings, 200, fields, _request, delay: default, _cache.Time.GetUtcNow());
        return AnswerMaker.TryMake(_cache, _settings, _key, _credentials, _target, 200, fields, _stored.Content, _stored.Vary, terms, _epoch, _asked, out _);
    }

    /// <summary>
    /// What it says of the stored one. A length never confirms: many answers have as many bytes and are others. Nor does it refute by itself: services that compress
    /// answers to GET and not those to HEAD say another one of the same answer.
    /// </summary>
    private Likeness Compare(HeaderList fields, long? length)
    {
        if (_stored.Status != 200)
        {
            return Likeness.Other;
        }

        var (hasTag, hasTime) = (StoredHead.TryGet(_stored.Head, KnownHeader.ETag, out var tag), StoredHead.TryGet(_stored.Head, KnownHeader.LastModified, out var time));
        var (saysTag, saysTime) = (fields.TryGet(KnownHeader.ETag, out ReadOnlySpan<byte> newTag), fields.TryGet(KnownHeader.LastModified, out ReadOnlySpan<byte> newTime));
        if ((saysTag && !(hasTag && newTag.SequenceEqual(tag))) || (saysTime && !(hasTime && newTime.SequenceEqual(time))))
        {
            return Likeness.Other;
        }

        if (length is not null && length != _stored.Content.TotalLength && !(saysTag && EntityTags.StronglyEqual(newTag, tag)))
        {
            return Likeness.Doubtful;
        }

        return (hasTag ? saysTag : hasTime && saysTime) ? Likeness.Same : Likeness.Unknown;
    }

    private enum Likeness
    {
        /// <summary>It says too little.</summary>
        Unknown,

        Same,

        /// <summary>By its length alone it is another one.</summary>
        Doubtful,

        Other,
    }
}
