using System.Text;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Http;

namespace Tidegate.Dashboard.SignIn;

/// <summary>The form that takes the token: a page without script, made without the application of the others, which begins only for who is signed in.</summary>
internal static class SignInPage
{
    public static Task WriteAsync(HttpContext context, string form, string to, string trouble)
    {
        var encode = HtmlEncoder.Default;
        var page = Encoding.UTF8.GetBytes($"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Sign in · Tidegate</title>
            <link rel="icon" href="/assets/tidegate.svg">
            <link rel="stylesheet" href="/assets/dashboard.css">
            </head>
            <body class="sign-in">
            <main>
            <h1>Tidegate</h1>
            <form method="post" action="{DashboardPaths.SignIn}">
            <label for="token">Admin token</label>
            <input id="token" name="token" type="password" autocomplete="current-password" required autofocus maxlength="1024">
            <input type="hidden" name="form" value="{encode.Encode(form)}">
            <input type="hidden" name="to" value="{encode.Encode(to)}">
            {(trouble.Length == 0 ? "" : $"<p role=\"alert\" class=\"trouble\">{encode.Encode(trouble)}</p>")}
            <button type="submit">Sign in</button>
            </form>
            <p class="hint">The value of <code>listeners.admin.token</code>. You stay signed in for 12 hours.</p>
            </main>
            </body>
            </html>
            """);
        context.Response.ContentType = "text/html; charset=utf-8";
        context.Response.ContentLength = page.Length;
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : context.Response.Body.WriteAsync(page, context.RequestAborted).AsTask();
    }
}
