namespace Tidegate.Exchanges;

/// <summary>What the cache made of an exchange. Cache-Status, record and metrics tell the same.</summary>
public enum CacheResult : byte
{
    /// <summary>No cache was asked.</summary>
    None,

    /// <summary>A stored answer was used as it is.</summary>
    Hit,

    /// <summary>A stale one was used: it is being asked for again, the upstream failed, or the client takes stale ones.</summary>
    HitStale,

    /// <summary>The upstream said that the stored answer still holds.</summary>
    HitValidated,

    /// <summary>Another exchange was asking for the same, and its answer was used.</summary>
    Collapsed,

    /// <summary>Nothing was stored for this URL.</summary>
    Miss,

    /// <summary>What was stored for it was chosen for other requests.</summary>
    VaryMiss,

    /// <summary>What was stored was too old.</summary>
    StaleMiss,

    /// <summary>The request asked for an answer that is newer.</summary>
    Request,

    /// <summary>The request has something that forbids a stored answer.</summary>
    Bypass,

    /// <summary>The method is not one that is answered from a store.</summary>
    Method,

    /// <summary>Observe mode: a stored answer would have been used.</summary>
    WouldHit,

    /// <summary>Parts of what the request wants are stored, and not all of it.</summary>
    Partial,

    /// <summary>No client asked: a stored answer was asked for anew in the background, after a stale one had been used.</summary>
    Refresh,
}

/// <summary>The words for it.</summary>
public static class CacheResults
{
    /// <summary>Why a request went on, in the words of RFC 9211 2.2.</summary>
    public static string ForwardWord(this CacheResult result) => result switch
    {
        CacheResult.VaryMiss => "vary-miss",
        CacheResult.StaleMiss or CacheResult.HitValidated => "stale",
        CacheResult.Request => "request",
        CacheResult.Bypass => "bypass",
        CacheResult.Method => "method",
        CacheResult.Partial => "partial",
        _ => "uri-miss",
    };
}
