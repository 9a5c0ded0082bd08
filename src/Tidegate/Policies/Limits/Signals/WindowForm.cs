namespace Tidegate.Policies.Limits.Signals;

/// <summary>In which fields a provider tells of one window, and what it does not say there.</summary>
internal sealed record WindowForm
{
    /// <summary>Fields that so many providers share that they are read from every one.</summary>
    public static readonly IReadOnlyList<WindowForm> Common =
    [
        // draft-ietf-httpapi-ratelimit-headers up to -06: what RateLimit and RateLimit-Policy were before they became structured fields.
        new() { Name = "ratelimit", Limit = ["ratelimit-limit"], Remaining = ["ratelimit-remaining"], Reset = ["ratelimit-reset"] },
        new()
        {
            Name = "x-ratelimit",
            Limit = ["x-ratelimit-limit", "x-rate-limit-limit", "x-rate-limit"],
            Remaining = ["x-ratelimit-remaining", "x-rate-limit-remaining"],
            Used = ["x-ratelimit-used"],
            Reset = ["x-ratelimit-reset", "x-rate-limit-reset"],
            ResetAfter = ["x-ratelimit-reset-after"],
        },

        // Of language models; a reset there is when the bucket is full again.
        new() { Name = "requests", Refills = true, Limit = ["x-ratelimit-limit-requests"], Remaining = ["x-ratelimit-remaining-requests"], Reset = ["x-ratelimit-reset-requests"] },
        new() { Name = "tokens", Refills = true, Unit = SignalUnit.Tokens, Limit = ["x-ratelimit-limit-tokens"], Remaining = ["x-ratelimit-remaining-tokens"], Reset = ["x-ratelimit-reset-tokens"] },
    ];

    public required string Name { get; init; }

    public SignalUnit Unit { get; init; }

    /// <summary>See <see cref="SignalWindow.Refills"/>.</summary>
    public bool Refills { get; init; }

    /// <summary>How long a window lasts or takes to refill, where no field says it; zero when that is not known.</summary>
    public TimeSpan Period { get; init; }

    /// <summary>What a small number in <see cref="Reset"/> means.</summary>
    public ResetForm ResetForm { get; init; }

    public IReadOnlyList<string> Limit { get; init; } = [];

    public IReadOnlyList<string> Remaining { get; init; } = [];

    public IReadOnlyList<string> Used { get; init; } = [];

    public IReadOnlyList<string> Reset { get; init; } = [];

    /// <summary>As <see cref="Reset"/> and finer: it wins where both are there.</summary>
    public IReadOnlyList<string> ResetAfter { get; init; } = [];

    /// <summary>Used and limit in one: <c>32/40</c>, or <c>api-usage=25/5000</c>.</summary>
    public IReadOnlyList<string> UsedOfLimit { get; init; } = [];

    /// <summary>Where the content of answers tells of it; null when fields do.</summary>
    public WindowContent? Content { get; init; }
}

/// <summary>What a field says of a window, or of the answer.</summary>
internal enum SignalRole : byte
{
    Limit,
    Remaining,
    Used,
    Reset,
    ResetAfter,
    UsedOfLimit,

    /// <summary>The structured field <c>RateLimit</c>.</summary>
    RateLimit,

    /// <summary>The structured field <c>RateLimit-Policy</c>.</summary>
    Policy,

    /// <summary>Names the bucket that the request was counted in.</summary>
    Bucket,

    /// <summary>Says that the refusal is about everything.</summary>
    Global,
}
