using Microsoft.AspNetCore.Http;

namespace Tidegate.Control.Admin;

/// <summary>Whose exchanges a caller sees.</summary>
internal static class AdminScope
{
    /// <summary>Who asks. Nobody where that was not found out, so that what forgets to ask shows nothing.</summary>
    public static AdminCaller Of(HttpContext context) => context.Features.Get<AdminCaller>() ?? AdminCaller.Nobody;

    /// <summary>Whether a tenant's exchanges are among them.</summary>
    /// <param name="tenants">Null: all are.</param>
    /// <param name="tenant">Empty: the exchange is nobody's.</param>
    public static bool Has(IReadOnlyList<string>? tenants, string tenant) => tenants is null || (tenant.Length > 0 && tenants.Contains(tenant));
}
