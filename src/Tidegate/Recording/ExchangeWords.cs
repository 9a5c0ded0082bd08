using Tidegate.Exchanges;

namespace Tidegate.Recording;

/// <summary>The words for what a record holds. Access log, metrics, traces and admin API use exactly these.</summary>
internal static class ExchangeWords
{
    // By the flags' number.
    private static readonly string[] AuthTexts = ["", "authorization", "key", "authorization,key", "cookie", "authorization,cookie", "key,cookie", "authorization,key,cookie"];

    public static string Of(Direction direction) => direction == Direction.Egress ? "egress" : "ingress";

    public static string Of(Outcome outcome) => outcome switch
    {
        Outcome.Forwarded => "forwarded",
        Outcome.ServedFromCache => "served_from_cache",
        Outcome.ServedFromFallback => "served_from_fallback",
        Outcome.Rejected => "rejected",
        Outcome.Failed => "failed",
        _ => "pending",
    };

    public static string Of(ProviderSignal signal) => signal switch
    {
        ProviderSignal.None => "none",
        ProviderSignal.Throttle => "throttle",
        ProviderSignal.Concurrency => "concurrency",
        ProviderSignal.Quota => "quota",
        ProviderSignal.Billing => "billing",
        ProviderSignal.Overload => "overload",
        _ => "permanent",
    };

    public static string Of(CacheResult result) => result switch
    {
        CacheResult.Hit => "hit",
        CacheResult.HitStale => "hit_stale",
        CacheResult.HitValidated => "hit_validated",
        CacheResult.Collapsed => "collapsed",
        CacheResult.Miss => "miss",
        CacheResult.VaryMiss => "vary_miss",
        CacheResult.StaleMiss => "stale_miss",
        CacheResult.Request => "request",
        CacheResult.Bypass => "bypass",
        CacheResult.Method => "method",
        CacheResult.WouldHit => "would_hit",
        CacheResult.Partial => "partial",
        CacheResult.Refresh => "refresh",
        _ => "",
    };

    /// <summary>Separated by commas; empty for none.</summary>
    public static string Of(AuthFields fields) => AuthTexts[(int)fields & (AuthTexts.Length - 1)];

    public static string Of(FailureSource source) => source switch
    {
        FailureSource.Client => "client",
        FailureSource.Gateway => "gateway",
        _ => "upstream",
    };

    /// <summary>As OpenTelemetry writes <c>network.protocol.version</c>; empty when no HTTP was spoken.</summary>
    public static string Of(ProtocolVersion version) => version switch
    {
        ProtocolVersion.Http10 => "1.0",
        ProtocolVersion.Http11 => "1.1",
        ProtocolVersion.Http2 => "2",
        ProtocolVersion.Http3 => "3",
        _ => "",
    };

    /// <summary>As HTTP/1.1 writes it in a message; empty when no HTTP was spoken.</summary>
    public static string WithName(ProtocolVersion version) => version switch
    {
        ProtocolVersion.Http10 => "HTTP/1.0",
        ProtocolVersion.Http11 => "HTTP/1.1",
        ProtocolVersion.Http2 => "HTTP/2",
        ProtocolVersion.Http3 => "HTTP/3",
        _ => "",
    };

    /// <summary>As <see cref="Of(AuthFields)"/> wrote it; none for anything else.</summary>
    public static AuthFields AuthOf(string text) => (AuthFields)Math.Max(0, Array.IndexOf(AuthTexts, text));

    /// <summary>Whether a word names an outcome.</summary>
    public static bool TryOutcome(string word, out Outcome outcome)
    {
        foreach (var candidate in Enum.GetValues<Outcome>())
        {
            if (candidate != Outcome.Pending && Of(candidate) == word)
            {
                outcome = candidate;
                return true;
            }
        }

        outcome = Outcome.Pending;
        return false;
    }
}
