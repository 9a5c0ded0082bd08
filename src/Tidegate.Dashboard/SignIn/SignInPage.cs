using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Http;
using Tidegate.Configuration;
using Tidegate.Control.Admin;

namespace Tidegate.Dashboard.SignIn;

/// <summary>The form that people sign in with: a page without script, made without the application of the others, which begins only for who is signed in.</summary>
internal static class SignInPage
{
    public static Task WriteAsync(HttpContext context, AdminAccess access, string form, string to, string trouble)
    {
        var encode = HtmlEncoder.Default;
        var page = new StringBuilder("<h1>Tidegate</h1>");
        var alert = trouble.Length == 0 ? "" : $"<p role=\"alert\" class=\"trouble\">{encode.Encode(trouble)}</p>";
        var fields = access switch
        {
            { SignIn: null } => """
                <label for="token">Admin token</label>
                <input id="token" name="token" type="password" autocomplete="current-password" required autofocus maxlength="1024">
                """,
            { SignIn.Users.Count: > 0 } => $"""
                <label for="user">Name</label>
                <input id="user" name="user" autocomplete="username" required autofocus maxlength="{UserSignIn.MaxLength}">
                <label for="password">Password</label>
                <input id="password" name="password" type="password" autocomplete="current-password" required maxlength="{UserSignIn.MaxLength}">
                """,
            _ => "",
        };
        if (fields.Length > 0)
        {
            page.Append(CultureInfo.InvariantCulture, $"""
                <form method="post" action="{DashboardPaths.SignIn}">
                {fields}
                <input type="hidden" name="form" value="{encode.Encode(form)}">
                <input type="hidden" name="to" value="{encode.Encode(to)}">
                {alert}
                <button type="submit">Sign in</button>
                </form>
                """);
        }
        else
        {
            page.Append(alert);
        }

        if (access.SignIn?.Oidc is { } oidc)
        {
            page.Append(CultureInfo.InvariantCulture, $"""<p><a class="button" href="{DashboardPaths.OidcBegin}{encode.Encode(QueryString.Create("to", to).Value!)}">Sign in with {encode.Encode(new Uri(oidc.Issuer).Host)}</a></p>""");
        }

        var life = Views.Units.Duration(access.SignIn?.SessionLife ?? SignInSettings.DefaultSessionLife);
        page.Append(CultureInfo.InvariantCulture, $"""<p class="hint">{(access.SignIn is null ? "The value of <code>listeners.admin.token</code>. " : "")}You stay signed in for {encode.Encode(life)}.</p>""");
        return WriteAsync(context, "", page.ToString());
    }

    /// <summary>A page that leads on by itself, as a navigation of our own.</summary>
    public static Task WriteNextAsync(HttpContext context, string next)
    {
        var address = HtmlEncoder.Default.Encode(next);
        return WriteAsync(context, $"""<meta http-equiv="refresh" content="0;url={address}">""", $"""<h1>Tidegate</h1><p><a class="button" href="{address}">Go on</a></p>""");
    }

    private static Task WriteAsync(HttpContext context, string head, string main)
    {
        var page = Encoding.UTF8.GetBytes($"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Sign in · Tidegate</title>
            <link rel="icon" href="/assets/tidegate.svg">
            <link rel="stylesheet" href="/assets/dashboard.css">
            {head}
            </head>
            <body class="sign-in">
            <main>
            {main}
            </main>
            </body>
            </html>
            """);
        context.Response.ContentType = "text/html; charset=utf-8";
        context.Response.ContentLength = page.Length;
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : context.Response.Body.WriteAsync(page, context.RequestAborted).AsTask();
    }
}
