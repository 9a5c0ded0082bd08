namespace Tidegate.Policies.Capture;

/// <summary>What the client sent and got, without secrets.</summary>
/// <param name="Id">The exchange's.</param>
/// <param name="Why">sample, error or slow.</param>
/// <param name="Request">What the client sent.</param>
/// <param name="Response">What an upstream or the cache answered.</param>
internal sealed record CapturedExchange(ulong Id, string Why, CapturedMessage Request, CapturedMessage Response)
{
    /// <summary>What it takes in memory, nearly.</summary>
    public long Bytes => 200 + Request.Bytes + Response.Bytes;
}

/// <summary>Headers and content of one message.</summary>
/// <param name="Fields">Secret values masked.</param>
/// <param name="Content">Secret values masked; null when there is none, or it was not kept.</param>
/// <param name="WhyNot">Why content was not kept, or not whole; empty when it was.</param>
internal sealed record CapturedMessage(IReadOnlyList<(string Name, string Value)> Fields, string? Content, string WhyNot)
{
    /// <summary>What it takes in memory, nearly.</summary>
    public long Bytes => Fields.Sum(pair => 60L + (2 * (pair.Name.Length + pair.Value.Length))) + (2L * (Content?.Length ?? 0));
}
