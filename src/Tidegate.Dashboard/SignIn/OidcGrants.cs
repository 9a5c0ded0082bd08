using System.Security.Claims;
using Tidegate.Configuration;
using Tidegate.Control.Admin;

namespace Tidegate.Dashboard.SignIn;

/// <summary>What somebody whom a provider knows may do.</summary>
internal static class OidcGrants
{
    /// <summary>The highest role that fits; where that is some tenants' exchanges, those of every grant that fits.</summary>
    /// <returns>Null: nothing fits.</returns>
    public static AdminCaller? Of(OidcSettings settings, ClaimsPrincipal person)
    {
        var values = person.FindAll(settings.GrantClaim).Select(claim => claim.Value).ToHashSet(StringComparer.Ordinal);
        var fitting = settings.Grants.Where(grant => grant.Value == "*" || values.Contains(grant.Value)).ToList();
        if (fitting.Count == 0)
        {
            return null;
        }

        var name = (person.FindFirst(settings.NameClaim) ?? person.FindFirst("email") ?? person.FindFirst("sub"))?.Value ?? "";
        // Names can be chosen at many providers, the subject cannot: the audit log needs it.
        name += $" (oidc {person.FindFirst("sub")?.Value})";
        var role = fitting.Max(grant => grant.Role);
        var seesAll = fitting.Exists(grant => grant.Tenants.Count == 0);
        return AdminCaller.Of(name, role, seesAll ? [] : [.. fitting.SelectMany(grant => grant.Tenants).Distinct()]);
    }
}
