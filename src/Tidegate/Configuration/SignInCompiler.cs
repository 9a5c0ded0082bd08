using System.Globalization;

namespace Tidegate.Configuration;

/// <summary>Compiles who may sign in.</summary>
internal sealed class SignInCompiler(ConfigPositions positions, List<ConfigProblem> problems)
{
    // People of one organisation that a file still names; more are an identity provider's.
    private const int MaxUsers = 200;
    private const int MaxNameLength = 100;
    private static readonly TimeSpan MinSession = TimeSpan.FromMinutes(5);

    // A lost laptop's session must end by itself.
    private static readonly TimeSpan MaxSession = TimeSpan.FromDays(7);

    public SignInSettings Compile(SignInConfig config)
    {
        if (config.Users.Count == 0 && config.Oidc is null)
        {
            Error(config, "users", "sign_in names nobody; list users, or set oidc");
        }

        if (config.Users.Count > MaxUsers)
        {
            Error(config, "users", string.Create(CultureInfo.InvariantCulture, $"there are {config.Users.Count} users; the most is {MaxUsers}: let an identity provider know them (oidc)"));
        }

        if (config.Session < MinSession || config.Session > MaxSession)
        {
            Error(config, "session", "session is 5m to 7d");
        }

        var users = new Dictionary<string, UserSettings>(StringComparer.Ordinal);
        foreach (var user in config.Users)
        {
            if (user.Name.Length is 0 or > MaxNameLength || user.Name.Any(char.IsControl))
            {
                Error(user, "name", string.Create(CultureInfo.InvariantCulture, $"a name has 1 to {MaxNameLength} characters, none of them a control character"));
            }

            if (PasswordHash.Parse(user.Password.Value, out var hash) is { } problem)
            {
                Error(user, "password", problem);
            }

            CheckTenants(user, user.Role, user.Tenants);
            if (hash is not null && !users.TryAdd(user.Name, new UserSettings(user.Name, hash, user.Role, user.Tenants)))
            {
                Error(user, "name", $"there are two users '{user.Name}'; each needs a name of its own");
            }
        }

        return new SignInSettings(users, config.Oidc is { } oidc ? Oidc(oidc) : null, config.Session ?? SignInSettings.DefaultSessionLife);
    }

    private OidcSettings? Oidc(OidcConfig config)
    {
        // Tokens and codes travel there: cleartext only to this machine, for a try.
        if (!Uri.TryCreate(config.Issuer, UriKind.Absolute, out var issuer) || !(issuer.Scheme == "https" || (issuer.Scheme == "http" && issuer.IsLoopback)) || issuer.Query.Length > 0 || issuer.Fragment.Length > 0)
        {
            Error(config, "issuer", $"'{config.Issuer}' is no issuer; write an https URL without query, for example https://login.example.com/realms/main");
            return null;
        }

        Uri? address = null;
        if (config.PublicUrl is { } written && (!Uri.TryCreate(written, UriKind.Absolute, out address) || address.Scheme is not ("http" or "https") || address.PathAndQuery != "/" || address.Fragment.Length > 0 || address.UserInfo.Length > 0))
        {
            Error(config, "public_url", $"'{written}' is no address; write scheme and host, for example https://tidegate.example.com");
            return null;
        }

        if (config.Grants.Count == 0)
        {
            Error(config, "grants", "grants lets nobody in; write for example: grants: [{ value: platform-team, role: admin }]");
        }

        foreach (var grant in config.Grants)
        {
            CheckTenants(grant, grant.Role, grant.Tenants);
        }

        return new OidcSettings(
            config.Issuer, config.ClientId, config.ClientSecret, address, config.Scopes, config.NameClaim, config.GrantClaim,
            [.. config.Grants.Select(grant => new GrantSettings(grant.Value, grant.Role, grant.Tenants)).OrderByDescending(grant => grant.Role)]);
    }

    private void CheckTenants(object record, AdminRole role, IReadOnlyList<string> tenants)
    {
        if (tenants.Count > 0 && role != AdminRole.Viewer)
        {
            Error(record, "tenants", "what operators and admins do is no single tenant's; leave tenants out, or make role viewer");
        }

        if (tenants.Any(tenant => tenant.Length == 0))
        {
            Error(record, "tenants", "a tenant has a name");
        }
    }

    private void Error(object record, string key, string message) => problems.Add(new ConfigProblem(positions.Of(record, key), ConfigSeverity.Error, message));
}
