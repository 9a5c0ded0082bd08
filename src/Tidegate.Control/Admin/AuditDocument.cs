using System.Globalization;
using Microsoft.AspNetCore.Http;
using Tidegate.Control.Audit;

namespace Tidegate.Control.Admin;

/// <summary><c>/api/v1/audit</c>: who did what, the newest first.</summary>
internal static class AuditDocument
{
    public const string Path = "/api/v1/audit";

    private const int DefaultLimit = 100;

    public static Task AnswerAsync(HttpContext context, AuditLog audit)
    {
        var limit = DefaultLimit;
        if (context.Request.Query["limit"] is { Count: > 0 } given
            && (!int.TryParse(given.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit is < 1 or > AuditLog.Kept))
        {
            return AdminReply.ProblemAsync(context, 400, "parameter_invalid", string.Create(CultureInfo.InvariantCulture, $"'limit' must be a whole number from 1 to {AuditLog.Kept}. {audit.File} has all."));
        }

        var found = audit.Recent(limit);
        return AdminReply.JsonAsync(context, 200, json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("audit");
            foreach (var entry in found)
            {
                entry.Write(json);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        });
    }
}
