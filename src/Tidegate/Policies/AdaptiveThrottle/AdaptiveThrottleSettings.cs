namespace Tidegate.Policies.AdaptiveThrottle;

/// <summary>How much more is sent to an upstream than it accepted of late.</summary>
internal sealed record AdaptiveThrottleSettings
{
    /// <summary>As much again: an upstream that recovers is found out quickly, and one that refuses everything gets hardly anything (Google's SRE book, chapter 21, has K = 2).</summary>
    public const double DefaultHeadroom = 1;

    /// <summary>Two minutes, longer than calls commonly take: what is refused now is held against what was accepted then.</summary>
    public static readonly TimeSpan DefaultWindow = TimeSpan.FromMinutes(2);

    /// <summary>0 to 1, beyond what was accepted.</summary>
    public double Headroom { get; init; } = DefaultHeadroom;

    public TimeSpan Window { get; init; } = DefaultWindow;

    public PolicyMode Mode { get; init; }
}
