namespace Tidegate.Exchanges;

/// <summary>A policy, or the edge, decided that this exchange goes no further.</summary>
/// <param name="Policy">Who decided: a policy's name, <c>edge</c> or <c>routing</c>.</param>
/// <param name="Code">Stable and machine-readable, in snake_case; part of the problem's <c>type</c>. Listed in docs/reference/problems.md.</param>
/// <param name="Status">The HTTP status that the client receives.</param>
/// <param name="Detail">One sentence for the caller: what was wrong and what to do next. Never contains a secret or the client's raw bytes.</param>
/// <param name="RetryAfter">How long until the same call may succeed, when that is known.</param>
public sealed record Rejection(string Policy, string Code, int Status, string Detail, TimeSpan? RetryAfter = null)
{
    /// <summary>The reply must be followed by closing the connection, because the request's framing cannot be trusted.</summary>
    public bool ClosesConnection { get; init; }

    /// <summary>The upstream is in trouble, or has asked for a pause, and was spared the call: asked, it would have given one more error. What stands in for its errors stands in for this.</summary>
    public bool SparesUpstream { get; init; }

    /// <summary>The <c>WWW-Authenticate</c> or <c>Proxy-Authenticate</c> challenge that goes with 401 and 407.</summary>
    public string? Challenge { get; init; }

    /// <summary>The methods that the <c>Allow</c> field of a 405 lists (RFC 9110 15.5.6).</summary>
    public string? Allow { get; init; }
}
