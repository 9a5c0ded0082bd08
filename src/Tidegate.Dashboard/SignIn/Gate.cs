using System.Security.Claims;
using Microsoft.AspNetCore.Http;
using Tidegate.Control;
using Tidegate.Control.Admin;

namespace Tidegate.Dashboard.SignIn;

/// <summary>
/// Decides who sees the dashboard. On loopback with neither token nor people everybody who got through the listener's own checks; else whoever has a session, which a browser gets for
/// a password, from an identity provider, or for the token where it lets people in; or sends the token itself. What another site's page makes a browser do is refused in any case.
/// </summary>
internal sealed class Gate(DashboardSources sources) : IAsyncDisposable
{
    /// <summary>The prefix makes browsers refuse it unless it is Secure, for this host alone and for all paths.</summary>
    private const string SessionCookie = "__Host-tidegate";
    private const string FormCookie = "__Host-tidegate-form";
    private const string TokenField = "token";
    private const string UserField = "user";
    private const string PasswordField = "password";
    private const string FormField = "form";
    private const string ReturnField = "to";

    private const int MaxReasonLength = 300;

    // Longer than any view's; what is longer must not keep somebody from signing in.
    private const int MaxReturnLength = 1_024;

    private static readonly CookieOptions Strict = new() { HttpOnly = true, Secure = true, SameSite = SameSiteMode.Strict, Path = "/", IsEssential = true };

    private readonly Sessions _sessions = new(sources.Time, sources.StateDirectory is { } directory ? new SessionFile(Path.Combine(directory, SessionFile.Name), sources.Log) : null);
    private readonly UserSignIn _users = new(sources.Time);
    private readonly OidcSignIn _oidc = new(sources.Log);
    private readonly StandingAccess _standing = new();

    /// <summary>Before the first request.</summary>
    public void Start(AdminAccess access) => _sessions.TakeBack(access, LifeOf(access));

    /// <summary>Answers what it decides itself: refusals, and the pages of signing in and out.</summary>
    /// <returns>False: whoever asks may, is the request's user, and the request is still to be answered.</returns>
    public async Task<bool> HandleAsync(HttpContext context, AdminAccess access)
    {
        var path = context.Request.Path.Value;
        if (!IsOwnPage(context.Request))
        {
            await AdminReply.ProblemAsync(context, StatusCodes.Status403Forbidden, "cross_site", "The dashboard does not answer another site's page. A proxy in front must pass the Host field on as it came.");
            return true;
        }

        if (path is DashboardPaths.SignIn or DashboardPaths.SignedIn or DashboardPaths.SignOut or DashboardPaths.OidcBegin or DashboardPaths.OidcDone)
        {
            await SignAsync(context, access, path);
            return true;
        }

        if (Who(context, access) is { } caller)
        {
            context.User = caller.ToPrincipal();
            return false;
        }

        // What the form itself loads says nothing about anybody.
        if (path is DashboardPaths.Assets + "dashboard.css" or DashboardPaths.Assets + "tidegate.svg")
        {
            return false;
        }

        await TurnAwayAsync(context);
        return true;
    }

    /// <summary>Who asks; null: that is not known.</summary>
    public AdminCaller? Who(HttpContext context, AdminAccess access) =>
        access.IsOpen ? AdminCaller.Anyone
        : access.Token is not null && AdminGuard.HasToken(context.Request, access.Token) ? AdminCaller.Token
        : _sessions.Find(context.Request.Cookies[SessionCookie], access, out _);

    /// <summary>When whoever asks is not signed in any more.</summary>
    public CancellationToken SessionEnd(HttpContext context, AdminAccess access)
    {
        if (access.IsOpen || (access.Token is not null && AdminGuard.HasToken(context.Request, access.Token)))
        {
            return _standing.EndOf(access);
        }

        // Without one by now: what they began a moment ago ends at once.
        return _sessions.Find(context.Request.Cookies[SessionCookie], access, out var ended) is null ? new CancellationToken(canceled: true) : ended;
    }

    /// <summary>Another configuration is in force.</summary>
    public void Apply(AdminAccess access)
    {
        _sessions.EndOthers(access);
        _standing.Apply(access);
    }

    public async ValueTask DisposeAsync()
    {
        await _sessions.Saved;
        await _oidc.DisposeAsync();
        _users.Dispose();
        _standing.Dispose();
    }

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

    private async Task SignAsync(HttpContext context, AdminAccess access, string path)
    {
        var request = context.Request;
        if (access.IsOpen)
        {
            context.Response.Redirect("/");
            return;
        }

        var isPost = HttpMethods.IsPost(request.Method);
        switch (path)
        {
            case DashboardPaths.SignOut when isPost:
                await SignOutAsync(context, access);
                return;
            case DashboardPaths.SignedIn:
                if (_sessions.Find(request.Cookies[SessionCookie], access, out _) is not null)
                {
                    SeeOther(context, Local(request.Query[ReturnField]));
                    return;
                }

                await ShowFormAsync(context, access, "/", "Your browser did not keep the session. Call this page over https, or on loopback, for example through: ssh -L 9900:localhost:9900 HOST");
                return;
            case DashboardPaths.SignIn when isPost:
                await TakeFormAsync(context, access);
                return;
            case DashboardPaths.OidcBegin or DashboardPaths.OidcDone when access.SignIn?.Oidc is { } oidc:
                await _oidc.HandleAsync(
                    context,
                    oidc,
                    (answered, person, to) => TakePersonAsync(answered, access, OidcGrants.Of(oidc, person), person, to),
                    (answered, reason) => FailAsync(answered, access, reason));
                return;
            default:
                await ShowFormAsync(context, access, Local(request.Query[ReturnField]), "");
                return;
        }
    }

    private async Task SignOutAsync(HttpContext context, AdminAccess access)
    {
        var key = context.Request.Cookies[SessionCookie];
        if (_sessions.Find(key, access, out _) is { } caller)
        {
            sources.Audit.Add(caller.Name, AddressOf(context), "sign_out", "");
        }

        _sessions.End(key);

        // Whoever is told that they are signed out stays so, whatever becomes of the process.
        await _sessions.Saved;
        context.Response.Cookies.Delete(SessionCookie, Strict);
        SeeOther(context, DashboardPaths.SignIn);
    }

    private async Task TakeFormAsync(HttpContext context, AdminAccess access)
    {
        var request = context.Request;
        if (!request.HasFormContentType)
        {
            await AdminReply.ProblemAsync(context, StatusCodes.Status415UnsupportedMediaType, "content_type", "The sign-in is a form.");
            return;
        }

        IFormCollection form;
        try
        {
            form = await request.ReadFormAsync(context.RequestAborted);
        }
        catch (Exception strange) when (strange is BadHttpRequestException or InvalidDataException)
        {
            var isLarge = strange is BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge };
            await AdminReply.ProblemAsync(context, isLarge ? 413 : 400, isLarge ? "content_too_large" : "form_invalid", "That is not the form of /sign-in.");
            return;
        }

        var to = Local(form[ReturnField]);
        if (request.Cookies[FormCookie] is not { Length: > 0 } expected || !AdminGuard.IsSame(form[FormField].ToString(), expected))
        {
            await ShowFormAsync(context, access, to, "The form was too old. Try again.");
            return;
        }

        var name = form[UserField].ToString().Trim();
        var (caller, trouble) = access switch
        {
            { SignIn: { } people } => await _users.TryAsync(people, name, form[PasswordField].ToString(), AddressOf(context), context.RequestAborted),
            { Token: { } token } when AdminGuard.IsSame(form[TokenField].ToString().Trim(), token.Value) => (AdminCaller.Token, ""),
            _ => (null, "That is not the token of listeners.admin.token."),
        };
        sources.Audit.Add(caller?.Name ?? name, AddressOf(context), "sign_in", trouble, caller is not null);
        if (caller is null)
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            await ShowFormAsync(context, access, to, trouble);
            return;
        }

        context.Response.Cookies.Delete(FormCookie, Strict);
        Begin(context, access, caller, access.SignIn is null ? SignInProof.Token : SignInProof.User(caller.Name));
        SeeOther(context, DashboardPaths.SignedIn + QueryString.Create(ReturnField, to));
    }

    private async Task TakePersonAsync(HttpContext context, AdminAccess access, AdminCaller? caller, ClaimsPrincipal person, string to)
    {
        sources.Audit.Add(caller?.Name ?? person.FindFirst("sub")?.Value ?? "", AddressOf(context), "sign_in", caller is null ? "no grant fits" : "by the identity provider", caller is not null);
        if (caller is null)
        {
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
            await ShowFormAsync(context, access, "/", "Your provider knows you, but no grant of listeners.admin.sign_in.oidc lets you in.");
            return;
        }

        Begin(context, access, caller, SignInProof.Oidc);

        // A redirect would still be the provider's navigation, with which browsers do not send a strict cookie; what this page leads to is ours.
        await SignInPage.WriteNextAsync(context, DashboardPaths.SignedIn + QueryString.Create(ReturnField, Local(to)));
    }

    private async Task FailAsync(HttpContext context, AdminAccess access, string reason)
    {
        // Some of it may be whatever stood in the URL, and anybody can call that: it is no line of the log.
        var line = string.Concat(reason.Take(MaxReasonLength).Select(static letter => char.IsControl(letter) ? ' ' : letter));
        sources.Audit.Add("", AddressOf(context), "sign_in", "by the identity provider: " + line, succeeded: false);
        context.Response.StatusCode = StatusCodes.Status502BadGateway;
        await ShowFormAsync(context, access, "/", "Signing in with your provider did not work. Try again; the audit log has the reason.");
    }

    private void Begin(HttpContext context, AdminAccess access, AdminCaller caller, SignInProof proof)
    {
        // Never the one that the browser came with: somebody else may know it. It ends once the new one has gone out: pages that it has open ask at once who is there, and would be led to the form
        // with a key that holds no more.
        var earlier = context.Request.Cookies[SessionCookie];
        context.Response.OnCompleted(() =>
        {
            _sessions.End(earlier);
            return Task.CompletedTask;
        });
        var life = LifeOf(access);
        context.Response.Cookies.Append(SessionCookie, _sessions.Begin(caller, proof, access, life, earlier), new CookieOptions(Strict) { MaxAge = life });
    }

    private static TimeSpan LifeOf(AdminAccess access) => access.SignIn?.SessionLife ?? Configuration.SignInSettings.DefaultSessionLife;

    private static Task ShowFormAsync(HttpContext context, AdminAccess access, string to, string trouble)
    {
        // The same value in a cookie and in the form: another site's page can send a form here, but not with a value that it knows.
        var value = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(16));
        context.Response.Cookies.Append(FormCookie, value, Strict);
        return SignInPage.WriteAsync(context, access, value, to, trouble);
    }

    private static string AddressOf(HttpContext context) => context.Connection.RemoteIpAddress?.ToString() ?? "";

    private static void SeeOther(HttpContext context, string to)
    {
        context.Response.StatusCode = StatusCodes.Status303SeeOther;
        context.Response.Headers.Location = to;
    }

    /// <summary>A path of this host, of visible ASCII alone: a link must not lead people who sign in elsewhere, and browsers strip tabs and line ends.</summary>
    private static string Local(string? to) => to is { Length: > 1 and <= MaxReturnLength } && to[0] == '/' && to[1] is not ('/' or '\\') && to.All(static letter => letter is > ' ' and < '\x7f' and not '\\') ? to : "/";
}
