using Microsoft.AspNetCore.Http;
using Tidegate.Configuration;
using Tidegate.Control.Admin;

namespace Tidegate.Dashboard.SignIn;

/// <summary>
/// Decides who sees the dashboard. Without a token everybody who got through the listener's own checks; with one whoever has a session, which a browser gets for the token, or sends the token
/// itself. What another site's page makes a browser do is refused in any case.
/// </summary>
internal sealed class Gate(Sessions sessions)
{
    /// <summary>The prefix makes browsers refuse it unless it is Secure, for this host alone and for all paths.</summary>
    private const string SessionCookie = "__Host-tidegate";
    private const string FormCookie = "__Host-tidegate-form";
    private const string TokenField = "token";
    private const string FormField = "form";
    private const string ReturnField = "to";

    private static readonly CookieOptions Strict = new() { HttpOnly = true, Secure = true, SameSite = SameSiteMode.Strict, Path = "/", IsEssential = true };

    /// <summary>Answers what it decides itself: refusals, and the pages of signing in and out.</summary>
    /// <returns>False: whoever asks may, and the request is still to be answered.</returns>
    public async Task<bool> HandleAsync(HttpContext context, Secret? token)
    {
        var path = context.Request.Path.Value;
        if (!IsOwnPage(context.Request))
        {
            await AdminReply.ProblemAsync(context, StatusCodes.Status403Forbidden, "cross_site", "The dashboard does not answer another site's page. A proxy in front must pass the Host field on as it came.");
            return true;
        }

        if (path is DashboardPaths.SignIn or DashboardPaths.SignedIn or DashboardPaths.SignOut)
        {
            await SignAsync(context, token, path);
            return true;
        }

        if (!IsKnown(context, token))
        {
            await TurnAwayAsync(context);
            return true;
        }

        return false;
    }

    /// <summary>When whoever asks is not signed in any more.</summary>
    public CancellationToken SessionEnd(HttpContext context, Secret? token) =>
        token is not null && sessions.TryFind(context.Request.Cookies[SessionCookie], token, out var ended) ? ended : default;

    // What the form itself loads says nothing about anybody.
    private bool IsKnown(HttpContext context, Secret? token) =>
        token is null
        || AdminGuard.HasToken(context.Request, token)
        || sessions.TryFind(context.Request.Cookies[SessionCookie], token, out _)
        || context.Request.Path.Value is DashboardPaths.Assets + "dashboard.css" or DashboardPaths.Assets + "tidegate.svg";

    /// <summary>Browsers say where a request comes from when it can do anything: with each POST and each WebSocket.</summary>
    private static bool IsOwnPage(HttpRequest request)
    {
        var origin = request.Headers.Origin;
        if (origin.Count > 0)
        {
            return origin.Count == 1 && Uri.TryCreate(origin[0], UriKind.Absolute, out var from) && from.Authority.Equals(request.Host.Value, StringComparison.OrdinalIgnoreCase);
        }

        // Without one it is a GET, which any page may link to but not fetch.
        return HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || request.Headers["Sec-Fetch-Site"].ToString() is "" or "same-origin" or "none";
    }

    private static Task TurnAwayAsync(HttpContext context)
    {
        var request = context.Request;
        if (HttpMethods.IsGet(request.Method) && !context.WebSockets.IsWebSocketRequest && request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase))
        {
            context.Response.Redirect(DashboardPaths.SignIn + QueryString.Create(ReturnField, request.Path + request.QueryString), permanent: false);
            return Task.CompletedTask;
        }

        context.Response.Headers.WWWAuthenticate = "Bearer realm=\"tidegate admin\"";
        return AdminReply.ProblemAsync(context, StatusCodes.Status401Unauthorized, "token_needed", "Sign in at /sign-in, or send the token of listeners.admin.token as: Authorization: Bearer TOKEN");
    }

    private async Task SignAsync(HttpContext context, Secret? token, string path)
    {
        var request = context.Request;
        if (token is null)
        {
            context.Response.Redirect("/");
            return;
        }

        var isPost = HttpMethods.IsPost(request.Method);
        switch (path)
        {
            case DashboardPaths.SignOut when isPost:
                sessions.End(request.Cookies[SessionCookie]);
                context.Response.Cookies.Delete(SessionCookie, Strict);
                SeeOther(context, DashboardPaths.SignIn);
                return;
            case DashboardPaths.SignedIn:
                if (sessions.TryFind(request.Cookies[SessionCookie], token, out _))
                {
                    SeeOther(context, Local(request.Query[ReturnField]));
                    return;
                }

                await ShowFormAsync(context, "/", "Your browser did not keep the session. Call this page over https, or on loopback, for example through: ssh -L 9900:localhost:9900 HOST");
                return;
            case DashboardPaths.SignIn when isPost:
                await TakeFormAsync(context, token);
                return;
            default:
                await ShowFormAsync(context, Local(request.Query[ReturnField]), "");
                return;
        }
    }

    private async Task TakeFormAsync(HttpContext context, Secret token)
    {
        var request = context.Request;
        if (!request.HasFormContentType)
        {
            await AdminReply.ProblemAsync(context, StatusCodes.Status415UnsupportedMediaType, "content_type", "The sign-in is a form.");
            return;
        }

        var form = await request.ReadFormAsync(context.RequestAborted);
        var to = Local(form[ReturnField]);
        if (request.Cookies[FormCookie] is not { Length: > 0 } expected || !AdminGuard.IsSame(form[FormField].ToString(), expected))
        {
            await ShowFormAsync(context, to, "The form was too old. Try again.");
            return;
        }

        if (!AdminGuard.IsSame(form[TokenField].ToString().Trim(), token.Value))
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            await ShowFormAsync(context, to, "That is not the token of listeners.admin.token.");
            return;
        }

        sessions.End(request.Cookies[SessionCookie]);
        context.Response.Cookies.Delete(FormCookie, Strict);
        context.Response.Cookies.Append(SessionCookie, sessions.Begin(token), new CookieOptions(Strict) { MaxAge = Sessions.Life });
        SeeOther(context, DashboardPaths.SignedIn + QueryString.Create(ReturnField, to));
    }

    private static Task ShowFormAsync(HttpContext context, string to, string trouble)
    {
        // The same value in a cookie and in the form: another site's page can send a form here, but not with a value that it knows.
        var value = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(16));
        context.Response.Cookies.Append(FormCookie, value, Strict);
        return SignInPage.WriteAsync(context, value, to, trouble);
    }

    private static void SeeOther(HttpContext context, string to)
    {
        context.Response.StatusCode = StatusCodes.Status303SeeOther;
        context.Response.Headers.Location = to;
    }

    /// <summary>A path of this host: a link must not lead people who sign in elsewhere.</summary>
    private static string Local(string? to) => to is ['/', not ('/' or '\\'), ..] && !to.AsSpan().ContainsAny('\r', '\n', '\\') ? to : "/";
}
