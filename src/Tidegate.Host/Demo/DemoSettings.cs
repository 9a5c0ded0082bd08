using Tidegate.Forwarding;

namespace Tidegate.Host.Demo;

/// <summary>How a demo runs.</summary>
internal sealed record DemoSettings
{
    /// <summary>Proxy and base-URL calls; 0 is a free port.</summary>
    public int EgressPort { get; init; } = 8080;

    /// <summary>Our API; 0 is a free port.</summary>
    public int IngressPort { get; init; } = 8081;

    /// <summary>Metrics and the admin API; 0 is a free port.</summary>
    public int AdminPort { get; init; } = 9900;

    /// <summary>Who speaks to the simulated APIs.</summary>
    public ForwarderOptions Upstreams { get; init; } = new();

    /// <summary>The same seed gives the same calls.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>How much of a past it begins with.</summary>
    public TimeSpan History { get; init; } = TimeSpan.FromHours(1);

    /// <summary>The time of the morning at which it begins.</summary>
    public TimeOnly Start { get; init; } = MorningClock.Begin;
}
