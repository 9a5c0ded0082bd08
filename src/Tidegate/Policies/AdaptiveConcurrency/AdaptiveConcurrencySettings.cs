namespace Tidegate.Policies.AdaptiveConcurrency;

/// <summary>Between which bounds the limit of attempts in flight is sought.</summary>
internal sealed record AdaptiveConcurrencySettings
{
    /// <summary>3, as Envoy has it: fewer could not be told from an upstream that is down.</summary>
    public const int DefaultMin = 3;

    /// <summary>1000, as Envoy has it.</summary>
    public const int DefaultMax = 1_000;

    /// <summary>Once a minute: upstreams change by deployments, not by seconds.</summary>
    public static readonly TimeSpan DefaultProbeEvery = TimeSpan.FromMinutes(1);

    public int Min { get; init; } = DefaultMin;

    public int Max { get; init; } = DefaultMax;

    /// <summary>How often the time that an idle upstream takes is measured anew.</summary>
    public TimeSpan ProbeEvery { get; init; } = DefaultProbeEvery;

    public PolicyMode Mode { get; init; }
}
