namespace Tidegate.Control.Admin;

/// <summary>Which callers each part of the admin API answers.</summary>
internal static class AdminPermissions
{
    /// <summary>Whether somebody may ask for a path. Where they see only some tenants' exchanges, what answers must look at that itself.</summary>
    public static bool Allows(AdminCaller caller, string path) => path switch
    {
        PastExchanges.SeriesPath or PastExchanges.SearchPath or AdminHandler.ExchangesPath => true,
        _ when path.StartsWith(AdminHandler.ExchangesPath + "/", StringComparison.Ordinal) => true,
        "/api/v1/config" or CachePurge.Path or CacheQuestion.Path => caller.SeesConfiguration,
        AuditDocument.Path => caller.SeesAudit,

        // What is no single tenant's: state, metrics, counters of whole APIs.
        _ => caller.SeesAll,
    };
}
