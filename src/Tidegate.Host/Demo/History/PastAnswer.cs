using Tidegate.Exchanges;

namespace Tidegate.Host.Demo.History;

/// <summary>What came of a call in the demo's past.</summary>
internal sealed record PastAnswer(int Status, Outcome Outcome, TimeSpan Took)
{
    public string Reason { get; init; } = "";

    public string Code { get; init; } = "";

    public CacheResult Cache { get; init; }

    public int Attempts { get; init; } = 1;

    public ExchangeCost Cost { get; init; } = ExchangeCost.None;

    public TimeSpan Queue { get; init; }

    /// <summary>Which destination it came from, where they do not take turns.</summary>
    public int? Region { get; init; }

    public long Bytes { get; init; } = 240;

    /// <summary>Nothing was sent.</summary>
    public static PastAnswer Refused(int status, string policy, string code, DemoRandom random) =>
        new(status, Outcome.Rejected, random.Duration(0.15)) { Reason = policy, Code = code, Attempts = 0, Bytes = 310 };
}
