using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>
/// An answer to a POST that says that it is what a GET of the same URL would bring, and for how long (RFC 9110 9.3.3). It is stored for GET while the client
/// reads it.
/// </summary>
internal readonly struct PostedAnswer
{
    private readonly HttpCache _cache;
    private readonly CacheSettings _settings;
    private readonly CacheKey _key;
    private readonly RequestTerms _request;
    private readonly ulong[] _credentials;
    private readonly long _asked;
    private readonly long _epoch;

    private PostedAnswer(HttpCache cache, CacheSettings settings, in CacheKey key, in RequestTerms request, ulong[] credentials)
    {
        (_cache, _settings, _key, _request, _credentials) = (cache, settings, key, request, credentials);
        _asked = cache.Time.GetTimestamp();
        _epoch = cache.Epochs.Current;
    }

    /// <summary>What must be known before the request goes on; null when its answer will not be stored in any case.</summary>
    public static PostedAnswer? Expect(Exchange exchange, HttpCache cache, CacheSettings settings, CacheKeyParts route)
    {
        if (settings.Mode != CacheMode.Standard || settings.KeysBody || exchange.Method != "POST" || ReducesQueries(settings))
        {
            return null;
        }

        var request = RequestTerms.Read(exchange, settings, keysBody: true);
        if (request.Bypass is not null || request.Control.NoStore || CacheKey.Of(exchange, settings, route) is not { } key)
        {
            return null;
        }

        request.IsPrivatePartition = key.IsPrivate;
        request.IsOneCaller = key.IsOneCaller;
        return new PostedAnswer(cache, settings, key, request, key.IsPrivate ? CacheKey.OfCredentials(cache.Secret, exchange.RequestHeaders) : []);
    }

    /// <summary>The answer as it is stored, when it is that of its own URL.</summary>
    public StoredAnswer? TryMake(Exchange exchange)
    {
        var target = exchange.Target;
        var fields = exchange.ResponseHeaders;
        if (exchange.ResponseStatus != 200 || fields.Contains(KnownHeader.Vary) || !fields.TryGet(KnownHeader.ContentLocation, out var location)
            || Invalidation.SameOrigin(exchange, Encoding.Latin1.GetString(location)) != target.Authority + target.PathAndQuery)
        {
            return null;
        }

        var now = _cache.Time.GetTimestamp();
        var terms = AnswerTerms.Read(_settings, 200, fields, _request, _cache.Time.GetElapsedTime(_asked, now), _cache.Time.GetUtcNow());
        var length = exchange.ResponseBody.Length;
        if (!terms.IsExplicit || length > _settings.MaxEntryBytes)
        {
            return null;
        }

        var content = new StoredContent(_cache.Store, _key.Value, length);
        return AnswerMaker.TryMake(_cache, _settings, _key, _credentials, target, 200, fields, content, vary: default, terms, _epoch, now, out _);
    }

    /// <summary>Purges its URL for what the POST itself changed.</summary>
    /// <returns>False when anybody else has purged the answer since it was asked for, another POST that knows better for example.</returns>
    public bool TryReplace(Exchange exchange, StoredAnswer answer)
    {
        _cache.Counters.CountInvalidation();
        return _cache.Epochs.PurgeOthers(_key.Url, answer, _key, exchange.Target, answer.Received);
    }

    /// <summary>Has it stored as the client reads it.</summary>
    public void Store(Exchange exchange, StoredAnswer answer) =>
        exchange.ResponseBody = new StoringBody(exchange.ResponseBody, answer, _cache, _settings.MaxEntryBytes);

    /// <summary>A query that is reduced is purged under several names, and not in one step.</summary>
    private static bool ReducesQueries(CacheSettings settings)
    {
        for (var i = 0; i < settings.ApiQueries.Count; i++)
        {
            if (!settings.ApiQueries[i].IsWhole)
            {
                return true;
            }
        }

        return false;
    }
}
