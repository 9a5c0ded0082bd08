using System.Security.Claims;
using Microsoft.AspNetCore.Http;
using Tidegate.Configuration;

namespace Tidegate.Dashboard.SignIn;

/// <summary>The application that asks the provider in force: begun with the first who signs in so, and anew when a reload changed the provider.</summary>
internal sealed class OidcSignIn(Action<string> log) : IAsyncDisposable
{
    // How the answer to a request is made is the request's: the application outlives it.
    private const string AnswersItem = "tidegate.oidc";

    private readonly Lock _building = new();
    private OidcSettings? _settings;
    private Task<OidcApplication>? _application;

    public async Task HandleAsync(HttpContext context, OidcSettings settings, Func<HttpContext, ClaimsPrincipal, string, Task> signedIn, Func<HttpContext, string, Task> failed)
    {
        context.Items[AnswersItem] = new Answers(signedIn, failed);
        var application = await ApplicationAsync(settings);
        await application.HandleAsync(context);
    }

    public async ValueTask DisposeAsync()
    {
        if (_application is { IsCompletedSuccessfully: true } application)
        {
            await (await application).DisposeAsync();
        }
    }

    private Task<OidcApplication> ApplicationAsync(OidcSettings settings)
    {
        lock (_building)
        {
            if (_application is null || _application.IsFaulted || !ReferenceEquals(settings, _settings))
            {
                var before = _application;
                _settings = settings;
                _application = StartAsync(before, settings);
            }

            return _application;
        }
    }

    private async Task<OidcApplication> StartAsync(Task<OidcApplication>? before, OidcSettings settings)
    {
        if (before is { IsCompletedSuccessfully: true })
        {
            await (await before).DisposeAsync();
        }

        return await OidcApplication.StartAsync(
            settings,
            static (context, person, to) => Of(context).SignedIn(context, person, to),
            static (context, reason) => Of(context).Failed(context, reason),
            log);
    }

    private static Answers Of(HttpContext context) => (Answers)context.Items[AnswersItem]!;

    private sealed record Answers(Func<HttpContext, ClaimsPrincipal, string, Task> SignedIn, Func<HttpContext, string, Task> Failed);
}
