using System.Security.Cryptography;
using System.Text;
using Tidegate.Configuration;
using Tidegate.Control.Admin;

namespace Tidegate.Dashboard.SignIn;

/// <summary>By what somebody signed in. What it stands for must be as it was for the session to hold: another token or password, a lost role or a removed user ends it.</summary>
/// <param name="Kind">How.</param>
/// <param name="Name">Of the user, where the gateway knows them itself.</param>
internal sealed record SignInProof(SignInProof.Ways Kind, string Name)
{
    public enum Ways
    {
        Token,
        User,
        Oidc,
    }

    public static readonly SignInProof Token = new(Ways.Token, "");

    public static readonly SignInProof Oidc = new(Ways.Oidc, "");

    public static SignInProof User(string name) => new(Ways.User, name);

    /// <summary>A hash of what it stands for in a configuration; null where it lets nobody in.</summary>
    public string? Of(AdminAccess access)
    {
        var text = Kind switch
        {
            Ways.Token => access is { SignIn: null, Token: { } token } ? token.Value : null,
            Ways.User => access.SignIn?.Users.GetValueOrDefault(Name) is { } user ? Lines([user.Name, user.Password.ToString(), user.Role.ToString(), .. user.Tenants]) : null,
            _ => access.SignIn?.Oidc is { } oidc ? Of(oidc) : null,
        };
        return text is null ? null : Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
    }

    private static string Of(OidcSettings oidc) => Lines(
    [
        oidc.Issuer, oidc.ClientId, oidc.ClientSecret?.Value ?? "", oidc.PublicUrl?.ToString() ?? "", string.Join(' ', oidc.Scopes), oidc.NameClaim, oidc.GrantClaim,
        .. oidc.Grants.SelectMany(grant => (string[])["", grant.Value, grant.Role.ToString(), .. grant.Tenants]),
    ]);

    private static string Lines(IEnumerable<string> parts) => string.Join('\n', parts);
}
