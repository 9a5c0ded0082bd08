using System.Collections.Frozen;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits.Costs;
using Tidegate.Policies.Limits.Shares;

namespace Tidegate.Policies.Limits;

/// <summary>One limit as it was written, checked and in units that a machine counts in.</summary>
internal sealed record LimitSettings
{
    /// <summary>Unique within its API. Stands in refusals, records and metrics.</summary>
    public required string Name { get; init; }

    public required LimitKind Kind { get; init; }

    /// <summary>How much may pass in a period, or how many may be in flight. Above zero.</summary>
    public required long Amount { get; init; }

    /// <summary>Of <see cref="LimitKind.Rate"/> and <see cref="LimitKind.TokenBucket"/>.</summary>
    public TimeSpan Period { get; init; }

    /// <summary>Of <see cref="LimitKind.TokenBucket"/>: how much may pass at once.</summary>
    public long Burst { get; init; }

    /// <summary>Of <see cref="LimitKind.Quota"/>.</summary>
    public CalendarPeriod? Calendar { get; init; }

    /// <summary>What shares one count; empty means: everything that the limit is written for.</summary>
    public IReadOnlyList<KeyPart> Per { get; init; } = [];

    /// <summary>Which calls it is for; null when it is for all of its route.</summary>
    public Func<Exchange, bool>? IsFor { get; init; }

    /// <summary>Other amounts for some values of <see cref="Per"/>.</summary>
    public IReadOnlyList<LimitOverride> Overrides { get; init; } = [];

    /// <summary>How classes of callers share the amount; null: whoever comes first has it.</summary>
    public ShareSettings? Shares { get; init; }

    public LimitUnit Unit { get; init; }

    /// <summary>Points of one request when the unit is points.</summary>
    public LimitCost Cost { get; init; } = LimitCost.One;

    public WhenExceeded WhenExceeded { get; init; }

    /// <summary>The longest wait in the queue.</summary>
    public TimeSpan MaxWait { get; init; }

    /// <summary>While counts that should outlive the process cannot be saved.</summary>
    public OnError OnError { get; init; }

    /// <summary>Whether refusals count.</summary>
    public PolicyMode Mode { get; init; }

    /// <summary>As people write it: <c>100/s</c>.</summary>
    public required string Text { get; init; }
}

/// <summary>What a limit lets pass for some of those whom it tells apart.</summary>
/// <param name="Values">Of the first parts of <see cref="LimitSettings.Per"/>; of the rest any.</param>
/// <param name="Settings">Kind, amount, period, burst, calendar and text; everything else is the limit's.</param>
internal sealed record LimitOverride(IReadOnlyList<string> Values, LimitSettings Settings);

/// <summary>What a limit counts over.</summary>
internal enum LimitKind
{
    /// <summary>Never more than the amount within any period, wherever one begins: safe whichever way a provider aligns its windows.</summary>
    Rate,

    /// <summary>A burst at once, then the amount per period, evenly.</summary>
    TokenBucket,

    /// <summary>The amount within a period of the calendar.</summary>
    Quota,

    /// <summary>So many in flight.</summary>
    Concurrency,

    /// <summary>What a provider said is left of a window of its own.</summary>
    Learned,

    /// <summary>Nothing, until a provider serves again.</summary>
    CoolDown,
}

/// <summary>What is counted.</summary>
internal enum LimitUnit
{
    Requests,

    /// <summary>Content bytes, of the request up front and of the answer as it passes.</summary>
    Bytes,

    /// <summary>What the cost says.</summary>
    Points,
}

/// <summary>What happens to exchanges while a limit cannot keep what it counts.</summary>
internal enum OnError
{
    /// <summary>They pass, counted in memory.</summary>
    Allow,

    /// <summary>They are refused: a quota that is money must not be given twice.</summary>
    Deny,
}

/// <summary>What happens to an exchange whose content does not say what it costs.</summary>
internal enum OnUnread
{
    /// <summary>It costs the constant.</summary>
    Charge,

    /// <summary>It is refused: whoever is held to the limit also writes the content.</summary>
    Deny,
}

/// <summary>What happens to an exchange for which there is no room now.</summary>
internal enum WhenExceeded
{
    /// <summary>Refused, with the time after which it would pass.</summary>
    Reject,

    /// <summary>Waits its turn, if that comes within <see cref="LimitSettings.MaxWait"/>; else refused at once.</summary>
    Queue,
}

/// <summary>Where the points of a request come from.</summary>
/// <param name="Constant">What a request costs when nothing says otherwise.</param>
/// <param name="RequestHeader">A field of the request that says so; null when none does.</param>
/// <param name="ResponseHeader">A field of the answer with the true cost: the difference is charged or given back.</param>
/// <param name="RequestJson">A number in the request's content that says so; null when none does.</param>
/// <param name="ResponseJson">A number in the answer's content with the true cost.</param>
/// <param name="OnUnread">What happens when the request's content was to say it, and does not.</param>
/// <param name="ByMethod">What the constant is for some methods; null when it is the same for all.</param>
internal sealed record LimitCost(long Constant, string? RequestHeader = null, string? ResponseHeader = null, JsonPointer? RequestJson = null, JsonPointer? ResponseJson = null, OnUnread OnUnread = OnUnread.Charge, FrozenDictionary<string, long>? ByMethod = null)
{
    /// <summary>What a request costs when nothing in it says otherwise.</summary>
    public long Of(string method) => ByMethod is not null && ByMethod.TryGetValue(method, out var points) ? points : Constant;

    /// <summary>Every request is one.</summary>
    public static readonly LimitCost One = new(1);
}
