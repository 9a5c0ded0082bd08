using Tidegate.Exchanges;
using Tidegate.Policies.Limits.Signals;

namespace Tidegate.Configuration;

/// <summary>What is known of one provider: a file of its own, shipped with the gateway or written by its user.</summary>
internal sealed record ProviderPackConfig
{
    [Doc("What provider: in an API refers to.")]
    public required string Name { get; init; }

    [Doc("APIs with one of these hosts are this provider's; *.example.com for every name below.")]
    public IReadOnlyList<string> Hosts { get; init; } = [];

    [Doc("What is apart at the provider for each: host. Callers' own credentials are apart in any case.")]
    public ProviderPerConfig? Per { get; init; }

    [Doc("What whoever reads the file should know.")]
    public string? Note { get; init; }

    [Doc("Limits that the provider publishes. They hold where the API has none of its own.")]
    public IReadOnlyList<ProviderLimitConfig> Limits { get; init; } = [];

    [Doc("In which fields of its answers the provider tells of its windows, beside those that many share.")]
    public IReadOnlyList<ProviderWindowConfig> Windows { get; init; } = [];

    [Doc("How the provider counts some calls apart from others.")]
    public ProviderBucketConfig? Bucket { get; init; }

    [Doc("What its errors mean; the first that fits. Without one 429 is throttle, 503 and 529 are overload, and 403 is throttle when it says when to come back.")]
    public IReadOnlyList<ProviderErrorConfig> Errors { get; init; } = [];

    [Doc("How a call that changes something can be sent twice and done once.")]
    public ProviderIdempotencyConfig? Idempotency { get; init; }
}

/// <summary>What a provider counts apart.</summary>
internal enum ProviderPerConfig
{
    Host,
}

/// <summary>How sure a figure is.</summary>
internal enum ProviderConfidence
{
    /// <summary>Told by others, or old.</summary>
    Low,

    /// <summary>By the provider, with exceptions that the file cannot know.</summary>
    Medium,

    /// <summary>By the provider's own documentation.</summary>
    High,
}

internal sealed record ProviderLimitConfig
{
    [Doc("Stands in refusals. Default: rate, quota or concurrency.")]
    public string? Name { get; init; }

    [Doc("As in an API's limits.")]
    public string? Rate { get; init; }

    [Doc("As in an API's limits.")]
    public int? Burst { get; init; }

    [Doc("As in an API's limits.")]
    public string? Quota { get; init; }

    [Doc("As in an API's limits.")]
    public string? TimeZone { get; init; }

    [Doc("As in an API's limits.")]
    public int? ResetDay { get; init; }

    [Doc("As in an API's limits.")]
    public int? Concurrency { get; init; }

    [Doc("As in an API's limits, but for credential.")]
    public IReadOnlyList<string> Per { get; init; } = [];

    [Doc("As in an API's limits.")]
    public IReadOnlyList<string> Path { get; init; } = [];

    [Doc("As in an API's limits.")]
    public IReadOnlyList<string> ExceptPath { get; init; } = [];

    [Doc("As in an API's limits.")]
    public IReadOnlyList<string> Methods { get; init; } = [];

    [Doc("As in an API's limits.")]
    public LimitCostConfig? Cost { get; init; }

    [Doc("Where the figure is from.")]
    public required string Source { get; init; }

    [Doc("When it was looked up, as 2026-11-25.")]
    public required string AsOf { get; init; }

    [Doc("low, medium or high.")]
    public required ProviderConfidence Confidence { get; init; }

    [Doc("To which plan or calls it applies.")]
    public string? Note { get; init; }
}

internal sealed record ProviderWindowConfig
{
    [Doc("Unique in the file. Two fields about the same window have the same name.")]
    public required string Name { get; init; }

    [Doc("requests, tokens or other. Default: requests.")]
    public SignalUnit Unit { get; init; }

    [Doc("It refills evenly, and reset says when it is full again. Default: false, it begins anew at the reset.")]
    public bool Refills { get; init; }

    [Doc("How long a window lasts, or takes to refill, where no field says it.")]
    public TimeSpan? Period { get; init; }

    [Doc("What a small number in reset is: seconds or milliseconds from now. Default: seconds. Times since 1970, dates and 1m30s are told apart in any case.")]
    public ResetForm ResetIn { get; init; }

    [Doc("The field with the amount of a whole window.")]
    public IReadOnlyList<string> Limit { get; init; } = [];

    [Doc("The field with what is left.")]
    public IReadOnlyList<string> Remaining { get; init; } = [];

    [Doc("The field with what is used.")]
    public IReadOnlyList<string> Used { get; init; } = [];

    [Doc("The field with the time of the reset.")]
    public IReadOnlyList<string> Reset { get; init; } = [];

    [Doc("The field with the finer time of the reset.")]
    public IReadOnlyList<string> ResetAfter { get; init; } = [];

    [Doc("The field with used and limit, as 32/40.")]
    public IReadOnlyList<string> UsedOfLimit { get; init; } = [];

    [Doc("Where the content of answers tells of the window, instead of fields.")]
    public ProviderContentConfig? Content { get; init; }

    [Doc("Where this is from.")]
    public required string Source { get; init; }

    [Doc("When it was looked up.")]
    public required string AsOf { get; init; }
}

internal sealed record ProviderContentConfig
{
    [Doc("Calls whose paths end so are counted in this window, and in none that is told of in fields.")]
    public required string Path { get; init; }

    [Doc("Where in the JSON stands the amount of a whole window, as a JSON pointer.")]
    public required string Limit { get; init; }

    [Doc("Where stands what is left.")]
    public required string Remaining { get; init; }

    [Doc("Where stands how much comes back each second.")]
    public required string PerSecond { get; init; }

    [Doc("Where stands what the call was charged before it was done, and in part given back after it. So much, the most of the last minutes, is kept for each call. Default: it is told from what is left.")]
    public string? Charged { get; init; }
}

internal sealed record ProviderBucketConfig
{
    [Doc("The field that names it. Default: none, calls whose paths begin alike share one.")]
    public string? Header { get; init; }

    [Doc("Calls are taken to be in one bucket when so many segments of their paths are the same.")]
    public required int PathSegments { get; init; }

    [Doc("And their methods. Default: false.")]
    public bool ByMethod { get; init; }

    [Doc("A bucket of the same name is another one when so many segments of the path differ. Default: none, one for all paths.")]
    public int? OwnerSegments { get; init; }

    [Doc("A refusal stops the bucket alone. Default: false, everything.")]
    public bool CoolsAlone { get; init; }

    [Doc("The field that says, with true or global, that a refusal is about everything.")]
    public string? GlobalHeader { get; init; }

    [Doc("Where this is from.")]
    public required string Source { get; init; }

    [Doc("When it was looked up.")]
    public required string AsOf { get; init; }
}

internal sealed record ProviderErrorConfig
{
    [Doc("The status.")]
    public required int Status { get; init; }

    [Doc("A field that must be there.")]
    public string? Header { get; init; }

    [Doc("What that field must be.")]
    public string? Value { get; init; }

    [Doc("What the call's path must end with; together with code.")]
    public string? Path { get; init; }

    [Doc("What must stand in the JSON content under a key that ends in code, type or reason, or is status or error. Compressed content is not looked into.")]
    public string? Code { get; init; }

    [Doc("none, throttle, concurrency, quota, billing, overload or permanent.")]
    public required ProviderSignal Kind { get; init; }

    [Doc("Where this is from.")]
    public required string Source { get; init; }

    [Doc("When it was looked up.")]
    public required string AsOf { get; init; }
}

internal sealed record ProviderIdempotencyConfig
{
    [Doc("The field, for example Idempotency-Key.")]
    public required string Header { get; init; }

    [Doc("How long the provider remembers a key.")]
    public TimeSpan? Keeps { get; init; }

    [Doc("Where this is from.")]
    public required string Source { get; init; }

    [Doc("When it was looked up.")]
    public required string AsOf { get; init; }
}
