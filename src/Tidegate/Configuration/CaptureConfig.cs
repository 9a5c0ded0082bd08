namespace Tidegate.Configuration;

internal sealed record CaptureConfig
{
    [Doc("The share of all exchanges, for example 1%. Default: none.")]
    public double? Sample { get; init; }

    [Doc("Those that failed, or were answered with 500 or more. Default: false.")]
    public bool Errors { get; init; }

    [Doc("Those that took at least so long. Default: none.")]
    public TimeSpan? SlowerThan { get; init; }

    [Doc("Only exchanges of these APIs. Default: of every API.")]
    public IReadOnlyList<string> Apis { get; init; } = [];

    [Doc("Content of each message that is kept; what follows is cut off. Default: 16KB."), Size]
    public long? MaxBody { get; init; }

    [Doc("Memory for all of them; the oldest go first. They are never on the disk. Default: 16MB."), Size]
    public long? Memory { get; init; }

    [Doc("Names of fields, JSON members and form parameters whose values are masked, beside those that sound secret.")]
    public IReadOnlyList<string> Redact { get; init; } = [];
}
