using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>
/// What an upstream's answer to HEAD says of the stored answer to GET that it would have been (RFC 9111 4.3.5): that it still holds, and then with newer fields; or
/// that it is another one by now.
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

    /// <summary>Has the stored answer say what is so now, or lets it go.</summary>
    public void Apply(Exchange exchange)
    {
        if (exchange.ResponseStatus != 200 || _stored.Place == AnswerPlace.None || Compare(exchange.ResponseHeaders, exchange.ResponseBody.Length) is not { } isSame)
        {
            return;
        }

        if (!isSame || Update(exchange.ResponseHeaders) is not { } updated)
        {
            _cache.DropUntrue(_stored);
            return;
        }

        _cache.Keep(updated, _stored, reserved: 0);
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
    /// Whether it is the same by all that it says; null when that is too little. A length alone is enough only where nothing stronger is stored: many answers have as
    /// many bytes and are others.
    /// </summary>
    private bool? Compare(HeaderList fields, long? length)
    {
        if (_stored.Status != 200)
        {
            return false;
        }

        var (hasTag, hasTime) = (StoredHead.TryGet(_stored.Head, KnownHeader.ETag, out var tag), StoredHead.TryGet(_stored.Head, KnownHeader.LastModified, out var time));
        var (saysTag, saysTime) = (fields.TryGet(KnownHeader.ETag, out ReadOnlySpan<byte> newTag), fields.TryGet(KnownHeader.LastModified, out ReadOnlySpan<byte> newTime));
        if ((saysTag && !(hasTag && newTag.SequenceEqual(tag))) || (saysTime && !(hasTime && newTime.SequenceEqual(time)))
            || (length is not null && length != _stored.Content.TotalLength))
        {
            return false;
        }

        return (hasTag ? saysTag : hasTime ? saysTime : length is not null) ? true : null;
    }
}
