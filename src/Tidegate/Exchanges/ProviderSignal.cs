namespace Tidegate.Exchanges;

/// <summary>What an upstream's answer says about calling it again. Metrics and provider packs use exactly these words.</summary>
public enum ProviderSignal : byte
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Too many in a time; the same call passes later.</summary>
    Throttle,

    /// <summary>Too many at once.</summary>
    Concurrency,

    /// <summary>The allowance of a longer period is used up until it ends.</summary>
    Quota,

    /// <summary>Nobody has paid. Waiting does not help.</summary>
    Billing,

    /// <summary>The upstream has too much to do, whoever asks.</summary>
    Overload,

    /// <summary>The same call will never pass.</summary>
    Permanent,
}
