using Microsoft.AspNetCore.Http;

namespace Tidegate.Dashboard;

/// <summary>What belongs to the dashboard, and what its pages may do in a browser.</summary>
internal static class DashboardPaths
{
    public const string SignIn = "/sign-in";
    public const string SignedIn = "/sign-in/done";
    public const string OidcBegin = "/sign-in/oidc";
    public const string OidcDone = "/sign-in/oidc/done";
    public const string SignOut = "/sign-out";
    public const string Assets = "/assets/";

    /// <summary>Scripts and styles from here only, none of them inline; no frame, no form to elsewhere, no connection to elsewhere.</summary>
    public const string ContentSecurityPolicy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'";

    private static readonly HashSet<string> First = ["egress", "ingress", "consumers", "tenants", "environments", "inventory", "exchanges", "configuration", "audit", "sign-in", "sign-out", "assets", "_blazor", "_framework"];

    public static bool Has(PathString path)
    {
        var text = path.Value ?? "";
        if (text is "" or "/")
        {
            return true;
        }

        var end = text.IndexOf('/', 1);
        return First.Contains(end < 0 ? text[1..] : text[1..end]);
    }
}
