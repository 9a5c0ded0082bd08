namespace Tidegate.Policies.Retry;

/// <summary>Pauses between attempts: exponential with full jitter, so that callers who failed together do not come back together.</summary>
/// <param name="random">Gives 0 to below 1.</param>
internal sealed class Backoff(Func<double> random)
{
    // 2^30 times any base is above any maximum.
    private const int MaxExponent = 30;

    /// <summary>The pause before an attempt.</summary>
    /// <param name="settings">Base and maximum.</param>
    /// <param name="failed">Attempts that were made, from 1.</param>
    /// <param name="notBefore">What the upstream asked for; never shortened.</param>
    public TimeSpan Of(RetrySettings settings, int failed, TimeSpan? notBefore)
    {
        var ceiling = Math.Min(settings.Max.TotalSeconds, settings.Base.TotalSeconds * (1L << Math.Min(MaxExponent, failed - 1)));
        var jittered = TimeSpan.FromSeconds(random() * ceiling);

        // Behind the time that was asked for callers spread out over one more base, or they would all be there at its first moment.
        return notBefore is { } time ? time + TimeSpan.FromSeconds(random() * settings.Base.TotalSeconds) : jittered;
    }
}
