using Microsoft.AspNetCore.Http;

namespace Tidegate.Dashboard.Serving;

/// <summary>What a path gets that looks like one of the dashboard's and is none.</summary>
internal static class NotFound
{
    public static Task WriteAsync(HttpContext context)
    {
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync($"There is nothing here ({context.Response.StatusCode}). The dashboard begins at /.\n", context.RequestAborted);
    }
}
