using Tidegate.Policies;
using Tidegate.Policies.Limits;

namespace Tidegate.Configuration;

internal sealed record LimitConfig
{
    [Doc("Unique within the API or endpoint. Stands in refusals. Default: rate, quota or concurrency, with a number from the second on.")]
    public string? Name { get; init; }

    [Doc("How much within how long, for example 100/s, 5000/h, 60/10s, 10MB/s or 2000 points/m: never more than that within any such time. With burst: that much at once, then evenly.")]
    public string? Rate { get; init; }

    [Doc("How much at once, for a rate that then flows evenly. Default: none, because a provider that counts in windows would see burst and flow together.")]
    public int? Burst { get; init; }

    [Doc("How much within a period of the calendar: minute, hour, day, week (from Monday) or month, for example 10000/month.")]
    public string? Quota { get; init; }

    [Doc("Whose calendar, for example Europe/Berlin. Default: UTC.")]
    public string? TimeZone { get; init; }

    [Doc("The day, 1 to 31, on which a month of a quota begins. Default: 1.")]
    public int? ResetDay { get; init; }

    [Doc("How many in flight at once.")]
    public int? Concurrency { get; init; }

    [Doc("What has a count of its own: consumer, tenant, environment, endpoint, host, method, path (the whole of it), client_address (of IPv6 its /64), credential (which of the API's keys), header:NAME, path:NAME (a {NAME} of the limit's path or of the endpoint's). Default: one count for all.")]
    public IReadOnlyList<string> Per { get; init; } = [];

    [Doc("Only calls to one of these paths, as an endpoint's match.path is written but always from the target's root: /v1/*/search. Default: every path.")]
    public IReadOnlyList<string> Path { get; init; } = [];

    [Doc("No calls to one of these paths.")]
    public IReadOnlyList<string> ExceptPath { get; init; } = [];

    [Doc("Only calls with one of these methods. Default: every method.")]
    public IReadOnlyList<string> Methods { get; init; } = [];

    [Doc("Other amounts for some values of per. Default: the same for all.")]
    public IReadOnlyList<LimitOverrideConfig> Overrides { get; init; } = [];

    [Doc("Classes of callers that share the amount, each with a guaranteed part of it. Default: whoever comes first has it.")]
    public SharesConfig? Shares { get; init; }

    [Doc("What a request costs, where the unit is points.")]
    public LimitCostConfig? Cost { get; init; }

    [Doc("exchanges (once for each call) or attempts (every request that is sent, retries too). Default: attempts on egress, as the provider counts, unless per tells callers apart; exchanges on ingress.")]
    public LimitCount? Count { get; init; }

    [Doc("reject (429 with Retry-After) or queue (wait, fairly, for at most max_wait; what cannot be served by then is refused at once). Default: reject.")]
    public WhenExceeded WhenExceeded { get; init; }

    [Doc("The longest wait of queue. Default: 10s, which most clients still wait for.")]
    public TimeSpan? MaxWait { get; init; }

    [Doc("Where counts outlive a restart (quotas from an hour, rates over more than a minute): allow or deny exchanges while they cannot be saved. Default: allow.")]
    public OnError OnError { get; init; }

    [Doc("enforce or observe. Default: enforce.")]
    public PolicyMode Mode { get; init; }
}

/// <summary>What a limit counts.</summary>
internal enum LimitCount
{
    Exchanges,
    Attempts,
}

/// <summary>Whether what a provider says in its answers counts.</summary>
internal enum LearnMode
{
    On,
    Off,
    Observe,
}

internal sealed record LimitOverrideConfig
{
    [Doc("Whose amount this is: a value of per, for example acme, or of several the values in the order of per. Values that are left out at the end may be any.")]
    public required IReadOnlyList<string> Value { get; init; }

    [Doc("Of a limit with rate: how much within how long.")]
    public string? Rate { get; init; }

    [Doc("Of a limit with burst: how much at once. Default: the limit's.")]
    public int? Burst { get; init; }

    [Doc("Of a limit with quota: how much within a period of the calendar.")]
    public string? Quota { get; init; }

    [Doc("Of a limit with concurrency: how many in flight at once.")]
    public int? Concurrency { get; init; }
}

internal sealed record LimitCostConfig
{
    [Doc("Of a request that says nothing else. Default: 1.")]
    public int? Points { get; init; }

    [Doc("What requests with some methods cost instead of points.")]
    public IReadOnlyList<LimitMethodCostConfig> ByMethod { get; init; } = [];

    [Doc("A field of the request that holds its points.")]
    public string? Header { get; init; }

    [Doc("A field of the answer that holds what was really charged; the difference is charged or given back.")]
    public string? ResponseHeader { get; init; }

    [Doc("Where in the request's JSON its points stand, as a JSON pointer: /max_tokens. The first 64 KB are looked through.")]
    public string? Json { get; init; }

    [Doc("What happens to a request whose content has no number there: charge (it costs points) or deny (400 cost_unread), where callers could go around the limit by how they write it. Default: charge.")]
    public OnUnread OnUnread { get; init; }

    [Doc("Where in the answer's JSON, or in the last event of a stream that has it, stands what was really charged: /usage/total_tokens. Looked for while the answer passes; the upstream is asked for content without compression.")]
    public string? ResponseJson { get; init; }
}

internal sealed record LimitMethodCostConfig
{
    [Doc("The methods.")]
    public required IReadOnlyList<string> Methods { get; init; }

    [Doc("What a request with one of them costs.")]
    public required int Points { get; init; }
}

internal sealed record SharesConfig
{
    [Doc("What tells the classes apart: environment, tenant, consumer, header:NAME or another word of per.")]
    public required string By { get; init; }

    [Doc("The classes; at most 15, and one more for everybody else.")]
    public required IReadOnlyList<ShareConfig> Of { get; init; }
}

internal sealed record ShareConfig
{
    [Doc("A value of by, for example production; * is every other.")]
    public required string Value { get; init; }

    [Doc("What the class gets whenever it asks, whatever others do; while it does not ask, others may use it (of a quota they may not). Default: 0%.")]
    public double? Guaranteed { get; init; }

    [Doc("The most that it gets, also when nobody else asks. Default: 100%.")]
    public double? Max { get; init; }
}

internal sealed record QueueConfig
{
    [Doc("Exchanges of this API that may wait. Default: 1000, ten seconds' worth at a hundred a second.")]
    public int? Capacity { get; init; }

    [Doc("Callers with the same value stand in one line, and the lines of a class are served in turn; the words of per. Default: consumer.")]
    public string? FairBy { get; init; }

    [Doc("Callers with the same value are a class, and classes are served by their weights, however many wait of each; the words of per. Default: none, all are one class.")]
    public string? WeightBy { get; init; }

    [Doc("How often a class is served, by value of weight_by; what is not named has 1.")]
    public IReadOnlyList<QueueWeightConfig> Weights { get; init; } = [];
}

internal sealed record QueueWeightConfig
{
    [Doc("A value of weight_by, for example production.")]
    public required string Value { get; init; }

    [Doc("How often it is served for each turn of a class with 1.")]
    public required int Weight { get; init; }
}
