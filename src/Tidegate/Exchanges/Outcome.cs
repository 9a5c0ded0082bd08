namespace Tidegate.Exchanges;

/// <summary>How an exchange ended. Log, metrics, problem replies and dashboard use exactly these words.</summary>
public enum Outcome : byte
{
    /// <summary>Nothing has been decided yet.</summary>
    Pending,

    /// <summary>The upstream answered and its whole answer, whatever its status, was passed on.</summary>
    Forwarded,

    /// <summary>A stored answer was used.</summary>
    ServedFromCache,

    /// <summary>A policy or the edge refused.</summary>
    Rejected,

    /// <summary>Something broke; see <see cref="Failure"/>.</summary>
    Failed,

    /// <summary>The API's fixed answer was used in place of a refusal or failure, which the exchange still names.</summary>
    ServedFromFallback,
}
