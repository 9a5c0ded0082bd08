using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>What an exchange wants of the cache, and what the look into the store brought.</summary>
/// <param name="Key">Where its answer belongs.</param>
/// <param name="Request">What the request says.</param>
/// <param name="Stored">The stored answer that could not be used as it is: it may be validated, or stand in for an error.</param>
/// <param name="Miss">Why none was used.</param>
internal readonly record struct Wanted(CacheKey Key, RequestTerms Request, StoredAnswer? Stored, CacheResult Miss)
{
    /// <summary>What the upstream is asked about. Conditions belong to GET: If-None-Match on a POST forbids the POST itself (RFC 9110 13.1.2).</summary>
    public StoredAnswer? Validated => !Request.IsPost && Stored?.HasValidator == true ? Stored : null;
}
