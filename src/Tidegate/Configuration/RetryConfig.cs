using Tidegate.Policies;

namespace Tidegate.Configuration;

internal sealed record RetryConfig
{
    [Doc("Attempts in all. Default: 3, which outlast a restart or a lost packet.")]
    public int? Attempts { get; init; }

    [Doc("Pauses between attempts.")]
    public BackoffConfig Backoff { get; init; } = new();

    [Doc("Retries for each call that succeeds; while an upstream is down nearly none are made. Default: 20%.")]
    public double? Budget { get; init; }

    [Doc("Statuses after which a call that may be done twice is attempted again, beside 429, after which every call is. Default: 502, 503 and 504; 500 is as often a bug that repeats itself.")]
    public IReadOnlyList<int> Statuses { get; init; } = [];

    [Doc("Further methods that may be done twice here. Default: those that HTTP defines so: GET, HEAD, OPTIONS, PUT, DELETE and the like.")]
    public IReadOnlyList<string> Methods { get; init; } = [];

    [Doc("Request content is kept for another attempt up to this size; what is larger is attempted once. Default: 64KB."), Size]
    public long? MaxBody { get; init; }

    [Doc("Content beyond max_body is kept in a file of the state directory up to this size, with no name there, so that nothing is left of it. Default: none, because a disk must bear every large request twice."), Size]
    public long? Spill { get; init; }

    [Doc("A field by which the provider knows a call that it has done already, so that any method may be attempted again.")]
    public IdempotencyConfig? Idempotency { get; init; }

    [Doc("enforce or observe (record what would have been attempted again). Default: enforce.")]
    public PolicyMode Mode { get; init; }
}

internal sealed record BackoffConfig
{
    [Doc("The longest first pause, doubled with each attempt; the pause itself is drawn between zero and that. Default: 100ms.")]
    public TimeSpan? Base { get; init; }

    [Doc("The longest pause, and the longest Retry-After that is waited for. Default: 10s.")]
    public TimeSpan? Max { get; init; }
}

internal sealed record IdempotencyConfig
{
    [Doc("The field's name. Default: Idempotency-Key.")]
    public string Header { get; init; } = "Idempotency-Key";

    [Doc("Put one onto calls that have none. Default: false, because only the provider's documentation can say that it looks at it.")]
    public bool Inject { get; init; }
}
