using System.Collections.Frozen;

namespace Tidegate.Policies.Retry;

/// <summary>When and how an exchange is attempted again.</summary>
internal sealed record RetrySettings
{
    /// <summary>3: two chances after the first, which outlast a restart or a lost packet; more only keep a caller waiting for what stays broken.</summary>
    public const int DefaultAttempts = 3;

    /// <summary>Half of what a person notices; doubled with each attempt.</summary>
    public static readonly TimeSpan DefaultBase = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest pause, and the longest <c>Retry-After</c> that is waited for; most clients give up after 30 s.</summary>
    public static readonly TimeSpan DefaultMax = TimeSpan.FromSeconds(10);

    /// <summary>20 % of what succeeds, as Envoy and Finagle have it: an outage stops it within seconds.</summary>
    public const double DefaultBudget = 0.2;

    /// <summary>64 KB: nearly all API calls; held only while the exchange may still be attempted again.</summary>
    public const int DefaultMaxBodyBytes = 64 * 1024;

    /// <summary>Answers that another attempt may turn into a good one. 500 is asked about once more: it is as often a bug that repeats itself as an instance's bad moment.</summary>
    public static readonly FrozenSet<int> DefaultStatuses = FrozenSet.Create(502, 503, 504);

    /// <summary>Attempts in all.</summary>
    public int Attempts { get; init; } = DefaultAttempts;

    public TimeSpan Base { get; init; } = DefaultBase;

    public TimeSpan Max { get; init; } = DefaultMax;

    /// <summary>Retries for each call that succeeds, 0 to 1.</summary>
    public double Budget { get; init; } = DefaultBudget;

    public int MaxBodyBytes { get; init; } = DefaultMaxBodyBytes;

    /// <summary>Content beyond that which is kept in a file; 0 is none.</summary>
    public long SpillBytes { get; init; }

    /// <summary>Where; null when none is.</summary>
    public SpillSpace? Spill { get; init; }

    /// <summary>The state directory.</summary>
    public string SpillDirectory { get; init; } = "";

    public FrozenSet<int> Statuses { get; init; } = DefaultStatuses;

    /// <summary>Attempt once more after a 500, unless the provider's file says that it will stay. Off where statuses are written: then they say it all.</summary>
    public bool Mends500 { get; init; } = true;

    /// <summary>Methods that may be done twice although their definition does not say so.</summary>
    public FrozenSet<string> Methods { get; init; } = FrozenSet<string>.Empty;

    /// <summary>The field by which the provider knows a call that it has done already; null when it has none.</summary>
    public string? IdempotencyHeader { get; init; }

    /// <summary>Put one onto calls that have none.</summary>
    public bool InjectsIdempotencyKey { get; init; }

    public PolicyMode Mode { get; init; }
}
