using Tidegate.Exchanges;

namespace Tidegate.Policies.Cache;

/// <summary>
/// The key of one target on one route, kept on the target, with those on the few other routes that it comes by. None ever changes, so that who reads at the same time finds each whole and
/// of the route that it says; what two keep at the same time is one of both, and the other is computed once more.
/// </summary>
internal sealed class KnownKey
{
    // By method, direction or host few lead to one target; a configuration that is loaded anew brings others for the same.
    private const int MaxRoutes = 4;

    private readonly ExchangeTarget _target;
    private readonly CacheKeyParts _route;
    private readonly KnownKey? _next;

    private KnownKey(ExchangeTarget target, CacheKeyParts route, in CacheKey key, KnownKey? next)
    {
        (_target, _route, Key, _next) = (target, route, key, next);
        Count = 1 + (next?.Count ?? 0);
    }

    /// <summary>How many are kept with it, itself included.</summary>
    public int Count { get; }

    public CacheKey Key { get; }

    /// <summary>What is kept of a target for a route; null when nothing is. A copy of a target brings along what is not its own.</summary>
    public static KnownKey? Find(ExchangeTarget target, CacheKeyParts route)
    {
        for (var known = target.Keyed.Found as KnownKey; known is not null; known = known._next)
        {
            if (ReferenceEquals(known._route, route) && ReferenceEquals(known._target, target))
            {
                return known;
            }
        }

        return null;
    }

    /// <summary>Keeps one more. When there are too many it is the only one: those that are still in use come again.</summary>
    public static void Keep(ExchangeTarget target, CacheKeyParts route, in CacheKey key)
    {
        var others = target.Keyed.Found as KnownKey;
        target.Keyed.Keep(new KnownKey(target, route, key, others is not null && others.Count < MaxRoutes && ReferenceEquals(others._target, target) ? others : null));
    }
}
