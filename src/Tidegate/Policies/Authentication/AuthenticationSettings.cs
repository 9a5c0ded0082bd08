namespace Tidegate.Policies.Authentication;

/// <summary>How callers of one API make themselves known.</summary>
internal sealed record AuthenticationSettings
{
    /// <summary>Callers are identified when they can be, and nobody is refused: for APIs without <c>authenticate</c> and for unlisted hosts.</summary>
    public static readonly AuthenticationSettings Undeclared = new() { Requirement = CredentialRequirement.Undeclared };

    /// <summary>What becomes of callers without a key. Required, because who lists ways to authenticate means it.</summary>
    public CredentialRequirement Requirement { get; init; } = CredentialRequirement.Required;

    /// <summary>The field that carries the key on ingress and in base-URL calls. <c>Authorization</c> means <c>Authorization: Bearer KEY</c>. Proxy calls and CONNECT always use <c>Proxy-Authorization</c>.</summary>
    public string Header { get; init; } = "X-Api-Key";

    /// <summary>Whether refusals count.</summary>
    public PolicyMode Mode { get; init; }
}

/// <summary>What becomes of callers without a known key.</summary>
internal enum CredentialRequirement
{
    /// <summary>The API has no <c>authenticate</c>: without a key of ours the caller is anonymous, and a field that holds no key of ours belongs to the upstream.</summary>
    Undeclared,

    /// <summary><c>required: false</c>: without a key the caller is anonymous; with an unknown one it is refused.</summary>
    Optional,

    /// <summary>Without a known key the caller is refused.</summary>
    Required,
}
