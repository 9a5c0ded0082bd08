namespace Tidegate.Policies.Access;

/// <summary>Who may call an API or endpoint, and with which methods.</summary>
internal sealed record AccessSettings
{
    /// <summary>Consumer names; empty lets everybody in, anonymous callers too.</summary>
    public IReadOnlyList<string> Consumers { get; init; } = [];

    /// <summary>Methods, exactly: GET does not include HEAD. Empty allows every method.</summary>
    public IReadOnlyList<string> Methods { get; init; } = [];

    /// <summary>Whether refusals count.</summary>
    public PolicyMode Mode { get; init; }
}
