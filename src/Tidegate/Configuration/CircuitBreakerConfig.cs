using Tidegate.Policies;

namespace Tidegate.Configuration;

internal sealed record CircuitBreakerConfig
{
    [Doc("The share of attempts that fail (no answer, 502, 503, 504, an answer that breaks) from which the upstream is left alone. Default: 50%.")]
    public double? FailureRatio { get; init; }

    [Doc("Attempts within the window before their share means anything. Default: 20.")]
    public int? Minimum { get; init; }

    [Doc("How far back attempts count. Default: 30s.")]
    public TimeSpan? Window { get; init; }

    [Doc("How long nothing is sent; then probes decide. Default: 15s, which is what a restart takes.")]
    public TimeSpan? OpenFor { get; init; }

    [Doc("Probes that must succeed. Default: 1.")]
    public int? Probes { get; init; }

    [Doc("enforce or observe. Default: enforce.")]
    public PolicyMode Mode { get; init; }
}
