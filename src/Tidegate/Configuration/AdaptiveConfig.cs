using Tidegate.Policies;

namespace Tidegate.Configuration;

internal sealed record AdaptiveThrottleConfig
{
    [Doc("How much more is sent than was accepted. Default: 100%, so that an upstream that recovers is soon found out.")]
    public double? Headroom { get; init; }

    [Doc("How far back refusals count; longer than calls take. Default: 2m.")]
    public TimeSpan? Window { get; init; }

    [Doc("enforce or observe. Default: enforce.")]
    public PolicyMode Mode { get; init; }
}

internal sealed record AdaptiveConcurrencyConfig
{
    [Doc("The fewest in flight. Default: 3.")]
    public int? Min { get; init; }

    [Doc("The most in flight. Default: 1000.")]
    public int? Max { get; init; }

    [Doc("How often it is measured anew how long the upstream takes when it has little to do; half of the limit is let in flight meanwhile, for some fifty calls. Default: 1m, up to 15% later, so that several gateways do not do it together.")]
    public TimeSpan? ProbeEvery { get; init; }

    [Doc("enforce or observe. Default: enforce.")]
    public PolicyMode Mode { get; init; }
}
