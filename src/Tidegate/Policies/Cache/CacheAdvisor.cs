using System.Collections.Concurrent;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>Watches what passes where the cache only observes, and says what storing it would bring. Outlives a configuration.</summary>
internal sealed class CacheAdvisor(TimeProvider time)
{
    // Endpoints are written by hand; each takes up to some 300 KB.
    private const int MaxEndpoints = 256;

    private readonly ConcurrentDictionary<(string Api, string Endpoint), CacheAdvice> _endpoints = new();

    public IEnumerable<AdviceReport> Reports => _endpoints.Values.OrderBy(static advice => advice.Api, StringComparer.Ordinal).ThenBy(static advice => advice.Endpoint, StringComparer.Ordinal).Select(static advice => advice.Report());

    /// <summary>An answer is about to be read by its client.</summary>
    public void Watch(Exchange exchange, CacheSettings settings, in CacheKey key, in RequestTerms request, UInt128 secret)
    {
        if (exchange.Outcome != Outcome.Forwarded || !TryOf(exchange, out var advice))
        {
            return;
        }

        var fields = exchange.ResponseHeaders;
        var terms = AnswerTerms.Read(settings, exchange.ResponseStatus, fields, request, TimeSpan.Zero, time.GetUtcNow());

        // What no rule of the configuration may share, none is proposed for.
        var isShared = exchange.ResponseStatus is >= 200 and < 300 and not 206 && VaryKey.TryMake(fields, exchange.RequestHeaders, out var vary)
            && (request.IsPrivatePartition || !fields.Contains(KnownHeader.SetCookie)) && (request.IsOneCaller || (!request.HasUnkeyedCredential && terms.WhyNot != "private"));
        advice.Count(isShared);
        if (isShared && advice.Samples(key.Value))
        {
            VaryKey.TryMake(fields, exchange.RequestHeaders, out vary);
            var place = vary is null ? key.Value : key.Value ^ SipHash.Compute(secret, vary);
            exchange.ResponseBody = new WatchedBody(exchange, advice, place, terms.IsStorable && !terms.NeedsValidation ? terms.Lifetime - terms.InitialAge : TimeSpan.Zero);
        }
    }

    private bool TryOf(Exchange exchange, out CacheAdvice advice)
    {
        var name = (exchange.ApiName, exchange.EndpointName);
        if (_endpoints.TryGetValue(name, out advice!))
        {
            return true;
        }

        if (_endpoints.Count >= MaxEndpoints)
        {
            return false;
        }

        advice = _endpoints.GetOrAdd(name, new CacheAdvice(name.ApiName, name.EndpointName, time));
        return true;
    }
}
