namespace Tidegate.Policies.Cache;

/// <summary>What of a route's keys is the same for each exchange: computed once, because a hit has little else to compute.</summary>
/// <param name="Secret">The process's that the rest was made with; a disk brings that of its process before.</param>
/// <param name="Api">The API's place among the epochs.</param>
/// <param name="Nobodys">The partition of calls that do not say whose they are.</param>
internal sealed record CacheKeyParts(UInt128 Secret, ulong Api, UInt128 Nobodys)
{
    public static CacheKeyParts Of(CacheSettings settings, UInt128 secret) => new(secret, CacheKey.OfApi(secret, settings.Api), CacheKey.OfNobody(secret, settings));
}
