using System.Security.Claims;
using Tidegate.Configuration;

namespace Tidegate.Control.Admin;

/// <summary>Who asks on the admin listener, and what they may.</summary>
/// <param name="Name">For the audit log.</param>
/// <param name="Role">What they may do.</param>
/// <param name="Tenants">Whose exchanges they see; null: everything.</param>
internal sealed record AdminCaller(string Name, AdminRole Role, IReadOnlyList<string>? Tenants)
{
    private const string RoleClaim = "tidegate_role";
    private const string TenantClaim = "tidegate_tenant";
    private const string Scheme = "tidegate";

    /// <summary>Whoever reaches a loopback address that asks nobody who they are.</summary>
    public static readonly AdminCaller Anyone = new("anyone on loopback", AdminRole.Admin, null);

    /// <summary>Whoever has the token.</summary>
    public static readonly AdminCaller Token = new("the token", AdminRole.Admin, null);

    /// <summary>Nobody: what is asked for without a caller shows nothing.</summary>
    public static readonly AdminCaller Nobody = new("nobody", AdminRole.Viewer, []);

    /// <summary>Not whoever has the token or the address: many may, and what is counted for each person is not counted for them.</summary>
    public bool IsOnePerson => !IsSame(Anyone) && !IsSame(Token);

    /// <summary>Not only single tenants' exchanges.</summary>
    public bool SeesAll => Tenants is null;

    public bool SeesConfiguration => SeesAll && Role >= AdminRole.Operator;

    public bool SeesAudit => SeesAll && Role >= AdminRole.Admin;

    /// <summary>Whether somebody is called the same and may the same.</summary>
    public bool IsSame(AdminCaller other) => Name == other.Name && Role == other.Role && (Tenants is null ? other.Tenants is null : other.Tenants is not null && Tenants.SequenceEqual(other.Tenants));

    /// <summary>Of tenants as they are written, where none means all.</summary>
    public static AdminCaller Of(string name, AdminRole role, IReadOnlyList<string> tenants) => new(name, role, tenants.Count == 0 ? null : tenants);

    /// <summary>For pages, which know who looks by the principal of their connection.</summary>
    public ClaimsPrincipal ToPrincipal() => new(new ClaimsIdentity(
        [
            new Claim(ClaimTypes.Name, Name),
            new Claim(RoleClaim, Role.ToString()),
            .. Tenants is null ? [] : Tenants.Prepend("").Select(tenant => new Claim(TenantClaim, tenant)),
        ],
        Scheme));

    /// <summary>Back from a principal; nobody where it is none of ours.</summary>
    public static AdminCaller Of(ClaimsPrincipal principal)
    {
        if (principal.Identity is not ClaimsIdentity { AuthenticationType: Scheme } identity || !Enum.TryParse<AdminRole>(identity.FindFirst(RoleClaim)?.Value, out var role))
        {
            return Nobody;
        }

        // The empty one says that there are bounds, even if they let nothing through.
        var tenants = identity.FindAll(TenantClaim).Select(claim => claim.Value).ToList();
        return new AdminCaller(identity.Name ?? "", role, tenants.Count == 0 ? null : [.. tenants.Where(tenant => tenant.Length > 0)]);
    }
}
