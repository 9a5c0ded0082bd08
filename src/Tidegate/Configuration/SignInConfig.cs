namespace Tidegate.Configuration;

internal sealed record SignInConfig
{
    [Doc("People that this gateway knows itself.")]
    public IReadOnlyList<UserConfig> Users { get; init; } = [];

    [Doc("An OpenID Connect provider that knows people.")]
    public OidcConfig? Oidc { get; init; }

    [Doc("How long somebody stays signed in. Default: 12h, a working day.")]
    public TimeSpan? Session { get; init; }
}

internal sealed record UserConfig
{
    [Doc("Unique. Stands in the audit log.")]
    public required string Name { get; init; }

    [Doc("The hash that tidegate password prints, itself or as a reference: $argon2id$v=19$m=…,t=…,p=1$….")]
    public required Secret Password { get; init; }

    [Doc("viewer sees traffic; operator also the configuration, and purges; admin also the audit log. Default: viewer.")]
    public AdminRole Role { get; init; }

    [Doc("Only exchanges of these tenants' consumers, and nothing that is not one tenant's, such as limits and the configuration. Default: everything. With role viewer only.")]
    public IReadOnlyList<string> Tenants { get; init; } = [];
}

internal sealed record OidcConfig
{
    [Doc("As the provider writes it, for example https://login.example.com/realms/main. Its /.well-known/openid-configuration is read.")]
    public required string Issuer { get; init; }

    [Doc("What the provider calls this gateway.")]
    public required string ClientId { get; init; }

    [Doc("For clients that have one. Without it the code is protected by PKCE alone.")]
    public Secret? ClientSecret { get; init; }

    [Doc("Where people reach the dashboard, for example https://tidegate.example.com, when that is not what their browser's Host field and scheme say here. The provider must know it with /sign-in/oidc/done behind it.")]
    public string? PublicUrl { get; init; }

    [Doc("Asked for beside openid. Default: [profile].")]
    public IReadOnlyList<string> Scopes { get; init; } = ["profile"];

    [Doc("The claim that stands in the audit log. Default: preferred_username.")]
    public string NameClaim { get; init; } = "preferred_username";

    [Doc("The claim that grants look at. Default: groups.")]
    public string GrantClaim { get; init; } = "groups";

    [Doc("What people may. Of those that fit somebody the highest role counts; whom none fits may not sign in.")]
    public required IReadOnlyList<GrantConfig> Grants { get; init; }
}

internal sealed record GrantConfig
{
    [Doc("A value of grant_claim; * is everybody whom the provider knows.")]
    public required string Value { get; init; }

    [Doc("As of users. Default: viewer.")]
    public AdminRole Role { get; init; }

    [Doc("As of users.")]
    public IReadOnlyList<string> Tenants { get; init; } = [];
}
