using Tidegate.Policies;

namespace Tidegate.Configuration;

internal sealed record FallbackConfig
{
    [Doc("What callers get, 200 to 599. Default: 200, with which they go on.")]
    public int? Status { get; init; }

    [Doc("Of the content. Default: application/json.")]
    public string? ContentType { get; init; }

    [Doc("The content itself.")]
    public string? Body { get; init; }

    [Doc("A file that has the content instead, up to 1MB. Read again when it changes."), Path]
    public string? File { get; init; }

    [Doc("What it stands in for: failure (no answer, 502, 503, 504, after every retry), circuit_open (nothing is sent, or less: circuit breaker, adaptive limits, and a provider's cool-down), limit (a limit's refusal), and statuses of the upstream. Default: failure and circuit_open.")]
    public IReadOnlyList<string> When { get; init; } = [];

    [Doc("enforce or observe: callers get what there is, and the record says where the fixed answer would have stood in. Default: enforce.")]
    public PolicyMode Mode { get; init; }
}
