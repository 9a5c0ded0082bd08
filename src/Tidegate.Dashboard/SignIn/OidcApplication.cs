using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Tidegate.Configuration;
using Tidegate.Control.Admin;
using Tidegate.Dashboard.Serving;

namespace Tidegate.Dashboard.SignIn;

/// <summary>Asks an OpenID Connect provider who somebody is: authorization code with PKCE, checked by the framework's own handler, behind the admin listener.</summary>
internal sealed class OidcApplication : IAsyncDisposable
{
    private const string Scheme = "oidc";

    // The handler wants one to keep people in; sessions are ours, and nobody is signed in there.
    private const string Unused = "unused";
    private const string ReturnItem = "to";
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(1);

    // People wait for it, with a page that does not answer.
    private static readonly TimeSpan ProviderTimeout = TimeSpan.FromSeconds(10);

    private readonly WebApplication _application;
    private readonly RequestPort _port;

    private OidcApplication(WebApplication application, RequestPort port, OidcSettings settings)
    {
        _application = application;
        _port = port;
        Settings = settings;
    }

    /// <summary>The provider that it asks.</summary>
    public OidcSettings Settings { get; }

    /// <param name="settings">The provider.</param>
    /// <param name="signedIn">Answers whoever the provider knows: the request, who they are, and where they wanted to.</param>
    /// <param name="failed">Answers where that went wrong: the request, what to tell people, and what the log should say.</param>
    /// <param name="log">Takes one line.</param>
    public static async Task<OidcApplication> StartAsync(OidcSettings settings, Func<HttpContext, System.Security.Claims.ClaimsPrincipal, string, Task> signedIn, Func<HttpContext, string, Task> failed, Action<string> log)
    {
        var port = new RequestPort();
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = typeof(OidcApplication).Assembly.GetName().Name, EnvironmentName = Environments.Production });
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.AddSingleton<IServer>(port);
        builder.Logging.SetMinimumLevel(LogLevel.Critical).AddProvider(new LineLogging(log));

        // What is on its way through the provider when the process ends has to begin again.
        builder.Services.AddDataProtection().UseEphemeralDataProtectionProvider();
        builder.Services.AddAuthentication(Scheme).AddCookie(Unused).AddOpenIdConnect(Scheme, options => Configure(options, settings, signedIn, failed));
        var application = builder.Build();
        application.UseAuthentication();
        application.Run(async context =>
        {
            try
            {
                var properties = new AuthenticationProperties { RedirectUri = "/" };
                properties.Items[ReturnItem] = context.Request.Query["to"];
                await context.ChallengeAsync(Scheme, properties);
            }
            catch (Exception unreachable) when (unreachable is InvalidOperationException or HttpRequestException or IOException or TaskCanceledException)
            {
                // The provider's description of itself could not be read.
                await failed(context, (unreachable.InnerException ?? unreachable).Message);
            }
        });
        await application.StartAsync();
        return new OidcApplication(application, port, settings);
    }

    public Task HandleAsync(HttpContext context) => _port.HandleAsync(context);

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(StopTimeout, TimeProvider.System);
        await _application.StopAsync(patience.Token);
        await _application.DisposeAsync();
    }

    private static void Configure(OpenIdConnectOptions options, OidcSettings settings, Func<HttpContext, System.Security.Claims.ClaimsPrincipal, string, Task> signedIn, Func<HttpContext, string, Task> failed)
    {
        options.Authority = settings.Issuer;
        options.RequireHttpsMetadata = new Uri(settings.Issuer).Scheme == Uri.UriSchemeHttps;
        options.ClientId = settings.ClientId;
        options.ClientSecret = settings.ClientSecret?.Value;
        options.ResponseType = OpenIdConnectResponseType.Code;
        options.ResponseMode = OpenIdConnectResponseMode.Query;
        options.UsePkce = true;
        options.MapInboundClaims = false;
        options.BackchannelTimeout = ProviderTimeout;
        options.CallbackPath = DashboardPaths.OidcDone;
        options.Scope.Clear();
        options.Scope.Add("openid");
        foreach (var scope in settings.Scopes)
        {
            options.Scope.Add(scope);
        }

        // Lax: they come back with a navigation from the provider's site.
        foreach (var cookie in (CookieBuilder[])[options.CorrelationCookie, options.NonceCookie])
        {
            cookie.SameSite = SameSiteMode.Lax;
            cookie.SecurePolicy = CookieSecurePolicy.Always;
        }

        options.CorrelationCookie.Name = "tidegate-oidc.";
        options.NonceCookie.Name = "tidegate-oidc-nonce.";

        options.SignInScheme = Unused;
        options.Events.OnRedirectToIdentityProvider = context =>
        {
            if (settings.PublicUrl is { } address)
            {
                context.ProtocolMessage.RedirectUri = new Uri(address, DashboardPaths.OidcDone).ToString();
            }

            return Task.CompletedTask;
        };
        options.Events.OnTicketReceived = async context =>
        {
            context.HandleResponse();
            await signedIn(context.HttpContext, context.Principal!, context.Properties?.Items.TryGetValue(ReturnItem, out var to) == true ? to ?? "" : "");
        };
        options.Events.OnRemoteFailure = async context =>
        {
            context.HandleResponse();
            await failed(context.HttpContext, context.Failure?.Message ?? "no reason was given");
        };
    }
}
